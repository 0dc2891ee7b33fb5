"""Reading tables of text: Parquet, CSV, TSV, JSON lines and plain text."""
