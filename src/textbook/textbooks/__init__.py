"""Textbooks: the texts that students are distilled on."""
