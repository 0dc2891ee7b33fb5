"""The augmented textbook: the sentences of the task with words replaced."""
