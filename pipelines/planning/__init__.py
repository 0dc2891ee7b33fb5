"""What will run, and what it will take: DVC's state, what the files say, and times of earlier runs."""
