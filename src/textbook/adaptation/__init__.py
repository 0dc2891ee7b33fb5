"""Adaptation of an encoder, such as a distilled student, to its task."""
