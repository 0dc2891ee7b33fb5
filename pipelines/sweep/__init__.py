"""`make sweep`: the grid of students, run in parallel with Ray Tune."""
