"""The parameters of a profile, without writing `params.yaml`."""

import tempfile
from pathlib import Path

from pipelines.paths import PROFILES
from textbook.params import Params
from textbook.params_file import load_params
from textbook.profiles import render_profile


def load_profile(name: str) -> Params:
    """Render a profile, and read it as the pipeline reads `params.yaml`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(render_profile(name, PROFILES), encoding="utf-8")
        return load_params(path)
