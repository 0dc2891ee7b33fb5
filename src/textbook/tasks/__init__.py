"""Labelled tasks: preparing and reading their data."""
