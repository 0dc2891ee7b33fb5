"""textbook: make a small language model for one task out of a large one.

The library, in the order in which data flows: assets, corpus, tasks, retrieval, textbooks, models, training,
evaluation, reporting. Nothing in it knows DVC, MLflow or Ray, so it works from a notebook.
"""
