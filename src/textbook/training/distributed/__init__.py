"""Training on several devices: data parallel, DeepSpeed, and the processes that Ray starts."""
