"""Measures of textbooks: size, vocabulary and diversity."""
