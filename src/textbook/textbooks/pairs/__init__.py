"""Pairs that look like the task's own: how much two texts share, and pairs made to share as much."""
