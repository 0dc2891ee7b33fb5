"""The texts on which the teacher teaches."""
