"""The entry points of `make` and DVC: stages, sweep and commands. They run from the project's root."""

import os

# Set before transformers and MLflow are imported, so that their messages don't hide those of the project.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "warning")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
