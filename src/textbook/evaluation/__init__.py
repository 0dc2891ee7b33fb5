"""Quality and cost of models."""
