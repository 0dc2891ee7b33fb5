"""The process of one seed. It reads a pickled `SeedJob`, and writes events as lines of JSON.

An event is `{"step": …, "text": …}` after every step. Before the process fails, it is `{"user": MESSAGE}` or
`{"system": [ERRNO, STRERROR, FILENAME]}`.
"""

import json
import os
import pickle
import sys
import warnings
from typing import Any

import torch
import transformers

from textbook.adaptation.seed import SeedJob, adapt_with_seed, read_seed_data
from textbook.errors import UserError


def main() -> None:
    """Run the job that standard input has."""
    events, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no event

    def send(**event: Any) -> None:
        print(json.dumps(event), file=events, flush=True)

    warnings.simplefilter("ignore", FutureWarning)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        job: SeedJob = pickle.load(sys.stdin.buffer)  # of the process that started this one
        torch.set_num_threads(job.threads)
        adapt_with_seed(job, read_seed_data(job), lambda step, text: send(step=step, text=text))
    except BrokenPipeError:  # the process that reads the events was killed
        os._exit(1)
    except UserError as error:
        send(user=str(error))
        sys.exit(1)
    except OSError as error:
        send(system=[error.errno, error.strerror or str(error), error.filename])
        sys.exit(1)


if __name__ == "__main__":
    main()
