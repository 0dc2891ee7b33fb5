"""`killed_adaptation.py TEACHER FOLDER`: adapt with two seeds side by side, for longer than the test that kills it."""

import sys
from pathlib import Path

import torch
from toy_adaptation import toy_adaptation

from textbook.adaptation import side_by_side

torch.set_num_threads(2)
side_by_side.WORTH_TEXTS = 0
toy_adaptation(Path(sys.argv[1]), Path(sys.argv[2]), epochs=10**6)
