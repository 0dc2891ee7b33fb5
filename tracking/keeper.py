"""Run a command until standard input closes: `python -m tracking.keeper COMMAND …`.

Standard input closes when the process at its other end does, even if that one is killed, so the command never outlives
it. This module imports nothing else, because the command waits for its start.
"""

import os
import signal
import subprocess
import sys


def keep(command: list[str]) -> None:
    """Run a command until standard input closes. This process must lead a process group, which ends with it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(1) if child.poll() is not None else None)
    sys.stdin.read()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.killpg(0, signal.SIGTERM)  # the command's own processes are in this process's group


if __name__ == "__main__":
    keep(sys.argv[1:])
