"""One short module per DVC stage: read the parameters, call the library, write the outputs."""

import os

# Set before transformers and MLflow are imported: their reports on loading would drown ours.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
