"""Token files, batches, the distillation loop and fine-tuning."""
