"""textbook: make a small language model for one task out of a large one.

The library, in the order in which data flows: assets, tables, corpus, tasks, retrieval, models, textbooks, training,
evaluation, reporting. It knows neither DVC nor MLflow, so it works from a notebook. Two modules of it use Ray, where
there is enough work to share: `ray_tasks` and `training.distributed.ray_workers`.
"""
