"""Looking at a user's labelled data, and proposing the entries of `params.yaml` for a task on it."""
