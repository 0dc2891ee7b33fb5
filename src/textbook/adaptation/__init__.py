"""Adaptation of an encoder, such as a distilled student, to its task: once per seed, side by side on a CPU."""
