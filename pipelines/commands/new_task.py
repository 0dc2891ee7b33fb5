"""`make new-task FILE=tickets.csv`: propose the entries of `params.yaml` for a task on the user's own data."""

import os
import shutil
import sys
import textwrap
from pathlib import Path

from ruamel.yaml import YAML

from pipelines.cli import run
from textbook.errors import UserError
from textbook.files import atomic_write
from textbook.params import Params
from textbook.params_edit import STEP, add_entries, entry_lines, scalar
from textbook.params_file import check_params
from textbook.proposals.proposal import Choices, Proposal, propose_task
from textbook.proposals.trial import Trial, try_task
from textbook.tasks.splits import TRAIN

PARAMS = Path("params.yaml")
SHOWN_CLASSES = 12  # that are listed with their rows
LONGEST_NAME = 60  # characters of a class or a column
WIDEST = 100  # characters of a line with a remark


def main(
    params: Params, file: str, *, name: str = "", text: str = "", text2: str = "", label: str = "", yes: bool = False
) -> None:
    """Look at a labelled file or folder, propose a task on it, and add it to `params.yaml` if the user agrees.

    Args:
        name: the name of the task; by default that of the file.
        text: the column of the text, and `text2` that of the second text of a pair.
        label: the column of the label.
        yes: add the task without asking.
    """
    if not file:
        raise UserError("FILE: name a file of yours: make new-task FILE=tickets.csv")
    before = _read_params()
    proposal = propose_task(Path(os.path.expanduser(file)), Choices(name, text, text2, label), params)
    after = add_entries(before, proposal.entries())
    checked = check_params(YAML(typ="safe", pure=True).load(after), str(PARAMS))
    _print(proposal, params)
    trial = try_task(proposal.name, checked.tasks[proposal.name], proposal.source, checked.teacher)
    _print_trial(proposal, trial)
    if yes or _agrees():
        _write(before, after)
        print(f"\nAdded the task {proposal.name} to params.yaml. Next:\n\n{_next(proposal.name)}")
    else:
        print("\nNothing was written. The same command with YES=1 adds these lines to params.yaml.")


def _read_params() -> str:
    """The text of `params.yaml`, with the line ends that it has."""
    with PARAMS.open(encoding="utf-8", newline="") as file:
        return file.read()


def _print(proposal: Proposal, params: Params) -> None:
    """Print what was found, the lines for `params.yaml`, and what looks wrong."""
    usual, longest = proposal.lengths
    texts = " and ".join(map(_shown, proposal.task["text"]))
    sources = ", ".join(params.corpus.sources)
    print(f"{proposal.source}: {proposal.rows:,} rows\n")
    print(f"  text      {texts}: {usual:,} words (median), at most {longest:,}")
    print("  label    ", "\n            ".join(_label_lines(proposal)))
    print(f"  language  {proposal.language or 'unclear'}; the general text is {sources}, in {params.corpus.language}")
    print("\nLines for params.yaml:\n")
    print("\n".join(_yaml_lines(proposal)))
    if proposal.notes:
        print("\nWorth a look:")
        _print_notes(proposal.notes)
    print(flush=True)  # before an error


def _print_trial(proposal: Proposal, trial: Trial) -> None:
    """Print what the preparation of the task gives, and what looks wrong with that."""
    validation = sum(trial.rows.values()) - trial.rows[TRAIN]
    drawn = ", drawn at random" if "holdout" in proposal.task else ""
    print(f"Prepared on trial: {trial.rows[TRAIN]:,} training rows, {validation:,} validation rows{drawn}")
    _print_notes(trial.notes)


def _label_lines(proposal: Proposal) -> list[str]:
    """The label and its classes with their rows, or its scale."""
    classes, column = proposal.labels.classes, _shown(proposal.task["label"])
    if proposal.labels.scale:
        low, high = proposal.labels.scale
        return [f"{column}: numbers from {low} to {high}"]
    total = sum(classes.values())
    shown = [(_shown(name), count) for name, count in list(classes.items())[:SHOWN_CLASSES]]
    width = max(len(name) for name, _ in shown)
    lines = [f"{name:<{width}} {count:>9,} {100 * count / total:>5.1f} %" for name, count in shown]
    more = len(classes) - len(shown)
    return [f"{column}: {len(classes)} classes", *lines, *([f"and {more} more classes"] if more else [])]


def _yaml_lines(proposal: Proposal) -> list[str]:
    """The new entries as they are in `params.yaml`, below the names of their sections."""
    lines: list[str] = []
    for path, value in proposal.entries().items():
        lines += [f"{' ' * STEP * depth}{section}:" for depth, section in enumerate(path[:-1])]
        lines += entry_lines(path[-1], value, STEP * (len(path) - 1))
    return lines


def _shown(name: str) -> str:
    """A name from the user's file on one line of moderate length."""
    line = name if name.isprintable() else scalar(name)
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"


def _print_notes(notes: list[str]) -> None:
    width = min(WIDEST, shutil.get_terminal_size().columns)
    wrapper = textwrap.TextWrapper(width, "  - ", "    ", break_long_words=False, break_on_hyphens=False)
    for note in notes:
        print(wrapper.fill(note))


def _agrees() -> bool:
    """Whether the user, at a terminal, answers with yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("\nAdd these lines to params.yaml? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _write(before: str, after: str) -> None:
    """Replace `params.yaml`, unless it has changed since it was read.

    Raises:
        UserError: it has.
    """
    if _read_params() != before:
        raise UserError("params.yaml: was changed in the meantime, so nothing was written; run the same command again")
    with atomic_write(PARAMS) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(after)


def _next(name: str) -> str:
    commands = {
        f"make quickstart TASK={name}": "this task alone, from raw text to the table of results",
        "make quickstart": "every task of params.yaml",
        f"make pull TASK={name}": "then: the model as a plain Hugging Face folder",
    }
    width = max(map(len, commands))
    return "\n".join(f"  {command:<{width}}  # {purpose}" for command, purpose in commands.items())


if __name__ == "__main__":
    run(main)
