"""The cluster files are valid for Ray and for a shell. They are not run, because no cloud is available."""

import os
import re
import subprocess
import sys
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


STAND_INS = {
    "scontrol": "printf 'one\\ntwo\\n'",
    "getent": "echo 10.0.0.5 one",
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "ray": """
if [[ $1 == status ]]; then test -e "$OUT/--head" -a -e "$OUT/--address=10.0.0.5:6379"; exit; fi
stat -c "%a $RAY_AUTH_MODE" "$RAY_AUTH_TOKEN_PATH" | cat - "$RAY_AUTH_TOKEN_PATH" >"$OUT/new$2"
mv "$OUT/new$2" "$OUT/$2"
""",
    "sleep": "exec /bin/sleep 0.05",
    "make": 'echo "$RAY_ADDRESS $RAY_AUTH_MODE" | cat - "$RAY_AUTH_TOKEN_PATH" >"$OUT/make"',
}


def test_the_job_script_shares_a_private_token_for_the_duration_of_the_job(tmp_path):
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'export PATH="{programs}:$PATH"\n')
    for name, body in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/bash\n{body}\n")
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    job = {"SLURM_SUBMIT_DIR": tmp_path, "SLURM_JOB_NODELIST": "x", "SLURM_CPUS_PER_TASK": "2", "SLURM_JOB_ID": "7"}
    environment = {**os.environ, **{name: str(value) for name, value in job.items()}, "OUT": str(tmp_path)}
    subprocess.run(["bash", CLUSTER / "slurm.sh"], check=True, env=environment)
    address, token = (tmp_path / "make").read_text().splitlines()
    assert address == "10.0.0.5:6379 token"
    assert re.fullmatch("[0-9a-f]{64}", token)
    for role in ("--head", "--address=10.0.0.5:6379"):
        assert (tmp_path / role).read_text().splitlines() == ["600 token", token]
    assert list((tmp_path / ".cache").iterdir()) == []


def test_every_ray_of_the_cluster_file_asks_for_the_token():
    config = yaml.safe_load((CLUSTER / "aws.yaml").read_text())
    starts = [
        command
        for role in ("head", "worker")
        for command in config[f"{role}_start_ray_commands"]
        if "ray start" in command
    ]
    assert len(starts) == 2
    for command in starts:
        setting, _, _ = command.partition("/opt/venv/bin/ray start")
        assert "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=/textbook/ray-token;" in setting


def test_the_commands_of_the_cluster_file_are_valid_shell_and_mount_over_tls():
    config = yaml.safe_load((CLUSTER / "aws.yaml").read_text())
    commands = [command for name, value in config.items() if name.endswith("_commands") for command in value]
    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)
    (mount,) = [command for command in commands if "mount -t nfs4" in command]
    assert "127.0.0.1:/ /textbook" in mount
    assert "verifyChain = yes" in mount
    (token,) = [command for command in commands if "openssl rand" in command]
    assert "umask 077" in token
