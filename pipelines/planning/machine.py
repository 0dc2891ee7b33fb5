"""The measured speed of this machine, kept so that it is measured once."""

import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pipelines.paths import CACHE
from textbook.errors import UserError
from textbook.files import digest, read_json, write_json
from textbook.plan.rates import Rates, measure_rates

RATES = CACHE / "rates"
_VERSION = 1  # of the measurement; rates of another one are measured again


def machine_rates() -> Rates:
    """The rates of this machine, from its last measurement if there is one."""
    path = RATES / f"{machine_key()}.json"
    if path.is_file():
        with suppress(TypeError, UserError):  # of another version, or damaged
            return Rates(**read_json(path))
    print("Measuring how fast this machine is, once: a few seconds", flush=True)
    rates = measure_rates()
    write_json(path, asdict(rates))
    return rates


def machine_key() -> str:
    """A name for this machine: its processor, its GPUs, and the threads of PyTorch if they are set."""
    return digest(_VERSION, processor_key(), os.environ.get("OMP_NUM_THREADS"), _gpus())


def processor_key() -> str:
    """A name for the processor and the number of its cores that this process may use."""
    return digest(_processor(), len(os.sched_getaffinity(0)))


def _processor() -> str:
    """The name of the processor as Linux has it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "CPU part")):
                return line
    return platform.machine()


def _gpus() -> str:
    """The names of NVIDIA's GPUs, one a line; empty without any."""
    with suppress(OSError, subprocess.SubprocessError):
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    return ""
