"""Everything that uses MLflow: the store and its server, runs and their lineage, and the model registry."""
