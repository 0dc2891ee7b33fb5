"""The pages of the documentation that are made from the code, and the hooks by which mkdocs makes them."""
