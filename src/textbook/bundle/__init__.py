"""Bundles: a part of a sweep's grid in one archive, made on any machine with PyTorch and transformers.

Nothing here, or below it, needs DVC, Ray, MLflow, Great Expectations, pydantic or numba at run time.
"""
