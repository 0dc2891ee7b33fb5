"""Keyword extraction and BM25 search over the corpus."""
