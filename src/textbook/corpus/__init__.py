"""From general text to shards of distinct sentences."""
