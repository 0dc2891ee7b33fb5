"""What a run will take, from its parameters and the sizes of its files: time, disk and memory, by arithmetic alone."""
