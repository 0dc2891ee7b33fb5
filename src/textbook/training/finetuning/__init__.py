"""Fine-tuning of classifiers: teachers, and students in task mode adaptation."""
