"""Distillation of attention relations (MiniLMv2)."""
