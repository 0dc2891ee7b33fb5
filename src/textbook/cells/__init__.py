"""Cells: students at places of a grid, from their inputs to their figures, on any machine."""
