"""One script per speed claim, each with its peers in the same run."""
