"""All that touches MLflow: where runs are kept, runs, lineage, the registry, pull."""
