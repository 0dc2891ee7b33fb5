"""What a user would do without distillation: simple models on fixed features of the texts."""
