"""Labelled tasks: what the teacher knows and the student must learn."""
