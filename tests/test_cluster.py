"""The cluster files are valid for Ray and for a shell. They are not run, because no cloud is available."""

import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema.exceptions import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = Path(__file__).parents[1] / "cluster"


def test_ray_accepts_the_cluster_file():
    config = prepare_config(yaml.safe_load((CLUSTER / "aws.yaml").read_text()))
    validate_config(config)
    assert config["head_node_type"] in config["available_node_types"]


def test_a_misspelt_key_is_rejected():
    raw = yaml.safe_load((CLUSTER / "aws.yaml").read_text())
    raw["max_wokers"] = raw.pop("max_workers")
    with pytest.raises(ValidationError, match="max_wokers"):
        validate_config(prepare_config(raw))


def test_the_job_script_is_valid_shell():
    script = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    assert script.stat().st_mode & 0o111
