"""Components shared by all training loops: tokens, batches, optimizer, checkpoints, log."""
