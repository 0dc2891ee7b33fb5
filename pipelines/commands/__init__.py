"""The commands behind make targets that are not DVC stages."""
