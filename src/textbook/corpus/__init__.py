"""General text to de-duplicated sentence shards."""
