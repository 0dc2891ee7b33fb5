"""Teachers, students, and their queries, keys and values."""
