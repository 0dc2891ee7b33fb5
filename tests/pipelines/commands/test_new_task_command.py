"""`make new-task`: from a user's file to a task of the pipeline."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy_params import SHIPPED

import pipelines.commands.new_task as module
from pipelines.paths import ASSETS, EXPECTATIONS, TASKS
from pipelines.stages.task import main as task_stage
from pipelines.sweep.grid import choose_cells
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.params_file import load_params
from textbook.tasks.prepare import prepare_task

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
KINDS = ["bug", "not a bug", "yes"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the shipped parameters and a file of tickets, as the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(SHIPPED.read_bytes())
    rows = [f'{n},"the page of order {n}, it seems, did not open",{KINDS[n % 3]}' for n in range(300)]
    Path("my tickets.csv").write_text("\n".join(["id,message,kind", *rows]) + "\n")
    return tmp_path


def new_task(file: str = "my tickets.csv", **options: object) -> None:
    module.main(load_params(), file, **options)  # type: ignore[arg-type]


def test_from_a_file_to_the_rows_of_the_task(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_task(yes=True)
    params = load_params()
    task = params.tasks["my_tickets"]
    assert (task.text, task.label, task.labels) == (["message"], "kind", KINDS)
    Path("prepared").mkdir()
    prepared = prepare_task("my_tickets", task, Path(params.assets.path["my_tickets"].path), Path("prepared"))
    assert prepared.rows == {"train": 240, "validation": 60}
    train = pq.read_table("prepared/train.parquet").to_pylist()
    assert {(row["sentence"], row["label"]) for row in train} < {
        (f"the page of order {n}, it seems, did not open", n % 3) for n in range(300)
    }
    out = capsys.readouterr().out
    assert "Added the task my_tickets to params.yaml. Next:\n\n  make quickstart TASK=my_tickets " in out


def test_a_sweep_leaves_out_the_textbook_that_a_new_task_lacks() -> None:
    new_task(yes=True)
    cells = choose_cells(load_params(), [])
    assert {cell.textbook for cell in cells if cell.task == "my_tickets"} == {"general", "contextualized"}


def test_the_stage_accepts_what_was_proposed(project: Path) -> None:
    new_task(yes=True)
    (project / EXPECTATIONS).parent.mkdir(parents=True)
    (project / EXPECTATIONS).symlink_to(ROOT / EXPECTATIONS)
    params = load_params()
    fetch(params.assets.path["my_tickets"], ASSETS / "my_tickets")
    task_stage(params, "my_tickets")
    assert pq.read_metadata(TASKS / "my_tickets" / "train.parquet").num_rows == 240


def test_the_lines_that_are_shown_are_added_and_all_others_stay(capsys: pytest.CaptureFixture[str]) -> None:
    new_task(yes=True)
    shown = capsys.readouterr().out.split("Lines for params.yaml:\n\n")[1].split("\n\n")[0].splitlines()
    names_of_sections = {"assets:", "  path:", "tasks:"}
    lines = Path("params.yaml").read_text().splitlines()
    for line in shown:
        if line not in names_of_sections:
            lines.remove(line)
    lines[lines.index("  path:")] = "  path: {}"
    assert lines == SHIPPED.read_text().splitlines()


def test_without_a_terminal_it_only_prints(capsys: pytest.CaptureFixture[str]) -> None:
    new_task()
    out = capsys.readouterr().out
    assert Path("params.yaml").read_bytes() == SHIPPED.read_bytes()
    assert out.endswith("\nNothing was written. The same command with YES=1 adds these lines to params.yaml.\n")
    assert (
        """my tickets.csv: 300 rows

  text      message: 10 words (median), at most 10
  label     kind: 3 classes
            bug             100  33.3 %
            not a bug       100  33.3 %
            yes             100  33.3 %
  language  en; the general text is imdb, in en

Lines for params.yaml:

assets:
  path:
    my_tickets: {path: my tickets.csv}
tasks:
  my_tickets:
    asset: my_tickets
    text: [message]
    label: kind
    labels: [bug, not a bug, "yes"]
    metrics: [accuracy]
    holdout: 0.2

Prepared on trial: 240 training rows, 60 validation rows, drawn at random
  - only 60 rows for validation: an accuracy of 80 % is uncertain by ± 5 points
  - the teacher would learn the task in only 16 steps; 13 epochs take 100: set
    `teacher.epochs`, or for this task alone `teacher.tasks`

Nothing was written."""
        in out
    )


@pytest.mark.parametrize(("answer", "written"), [("y\n", True), ("\n", False), ("\x04", False), ("\x03", False)])
def test_at_a_terminal_it_asks(answer: str, written: bool) -> None:
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "pipelines.commands.new_task", "my tickets.csv"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdin=inner, stdout=inner, stderr=inner, start_new_session=True, preexec_fn=_own
    )
    os.close(inner)
    out = b""
    while b"[y/N] " not in out:
        out += os.read(terminal, 1000)
    os.write(terminal, answer.encode())
    while True:
        # Python misses a Ctrl-C between the prompt and the start of its reading; a user presses it again.
        while not select.select([terminal], [], [], 2)[0]:
            os.write(terminal, answer.encode())
        try:
            out += os.read(terminal, 1000)
        except OSError:  # the process has ended
            break
    assert process.wait() == 0
    os.close(terminal)
    assert (Path("params.yaml").read_bytes() != SHIPPED.read_bytes()) == written
    assert ("Added the task" if written else "Nothing was written") in out.decode()
    assert "Traceback" not in out.decode()


def _own() -> None:
    """Make the terminal that of the process, so that Ctrl-C reaches it."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it


def test_a_file_that_was_changed_in_the_meantime_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def edit_and_agree() -> bool:
        Path("params.yaml").write_text(SHIPPED.read_text() + "# mine\n")
        return True

    monkeypatch.setattr(module, "_agrees", edit_and_agree)
    with pytest.raises(UserError, match=r"^params\.yaml: was changed in the meantime, so nothing was written"):
        new_task()
    assert Path("params.yaml").read_text().endswith("# mine\n")


def test_parameters_that_would_contradict_each_other_are_refused_and_nothing_is_written() -> None:
    changed = SHIPPED.read_text().replace("textbook: contextualized\n", "textbook: augmented\n")
    Path("params.yaml").write_text(changed)
    with pytest.raises(UserError, match=r"needs textbooks\.augmented\.my_tickets$"):
        new_task(yes=True)
    assert Path("params.yaml").read_text() == changed


def test_data_that_cannot_be_prepared_are_refused_after_what_looks_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train", "validation"):
        Path("mood").mkdir(exist_ok=True)
        Path(f"mood/{name}.csv").write_text(Path("my tickets.csv").read_text())
    with pytest.raises(UserError, match=r"^tasks\.mood: every text of train is also in validation$"):
        new_task("mood", yes=True)
    assert "\nWorth a look:\n  - 300 rows repeat the text of another row\n" in capsys.readouterr().out
    assert Path("params.yaml").read_bytes() == SHIPPED.read_bytes()


@pytest.mark.parametrize("path", ["~/tickets.csv", "~nobody-here/tickets.csv"])
def test_a_tilde_is_expanded(project: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("HOME", str(project))
    Path("my tickets.csv").rename("tickets.csv")
    if path.startswith("~/"):
        new_task(path, yes=True)
        assert load_params().assets.path["tickets"].path == str(project / "tickets.csv")
    else:
        with pytest.raises(UserError, match=r"no such file or folder$"):
            new_task(path, yes=True)
