"""The real `make sweep` with Ray Tune, DVC and MLflow, at toy size: undisturbed, killed, and with failures."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from math import ceil

import psutil
import pytest
from mlflow import MlflowClient
from ray.cluster_utils import Cluster

PART = ["textbook=contextualized,contextualized+augmented", "init=random"]  # four cells
PATIENCE = 600  # seconds until a test gives up waiting
VARYING = ("seconds", "run_id", "ms_per_sentence")  # columns that differ between runs


def start(project, *words, **environment):
    command = [sys.executable, "-m", "pipelines.sweep", *(words or PART)]
    log = (project.folder / "sweep.log").open("w")
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env={**project.environment, **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(project, process):
    code = process.wait(PATIENCE)
    assert code == 0, (project.folder / "sweep.log").read_text()[-3000:]
    return rows(project)


def rows(project):
    with (project.folder / "reports" / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def figures(table):
    """The table without the columns that vary."""
    return [{name: value for name, value in row.items() if name not in VARYING} for row in table]


def results(project):
    return {path: path.stat().st_mtime_ns for path in (project.folder / "data" / "cells").glob("*/*/result.json")}


def started_cells(project):
    return list((project.folder / "data" / "cells").glob("*/*/clock.json"))


def wait_for(condition: Callable[[], object], process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the sweep ended before it could be disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers(process):
    """The processes in which Ray Tune is running cells."""
    running = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.name().startswith("ray::Implici") or "ImplicitFunc" in " ".join(child.cmdline()):
                running.append(child)
        except psutil.Error:
            continue
    return running


def check_runs(project, table):
    """Check that MLflow has one finished run for each cell, and no other."""
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    experiments = {experiment.name: experiment.experiment_id for experiment in client.search_experiments()}
    assert client.search_runs([experiments["Default"]]) == []
    runs = client.search_runs([experiments["textbook"]], max_results=1000)
    assert "RUNNING" not in {run.info.status for run in runs}
    by_id = {run.info.run_id: run for run in runs}
    assert len({row["run_id"] for row in table}) == len(table)
    for row in table:
        run = by_id[row["run_id"]]
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"films · {row['init']} · {row['teacher']} · {row['textbook']}"
        assert run.data.metrics["student/accuracy"] == float(row["mean"])
        for name in ("parameters", "bytes", "ms_per_sentence"):
            assert run.data.metrics[f"student/{name}"] == float(row[name]) > 0
        cell = run.data.tags["textbook.cell"]
        assert [other.info.run_id for other in runs if other.data.tags.get("textbook.cell") == cell] == [row["run_id"]]
        losses = [metric.step for metric in client.get_metric_history(row["run_id"], "distill/loss")]
        assert losses == sorted(set(losses))
        assert losses[-1] >= int(row["steps"])  # a second stage adds steps


@pytest.fixture(scope="module")
def undisturbed(project):
    """The table of an undisturbed sweep."""
    table = finish(project, start(project))
    check_runs(project, table)
    log = (project.folder / "sweep.log").read_text()
    assert "Loading weights" not in log, "a progress bar for each student"
    assert "Writing model" not in log
    return table


def test_the_table_has_a_row_for_every_cell(undisturbed):
    assert [(row["init"], row["teacher"], row["textbook"]) for row in undisturbed] == [
        ("random", "task", "contextualized"),
        ("random", "task", "contextualized+augmented"),
        ("random", "general", "contextualized"),
        ("random", "general", "contextualized+augmented"),
    ]
    assert all(0 < float(row["mean"]) <= 100 and float(row["task_relation_loss"]) > 0 for row in undisturbed)


def test_no_cell_runs_twice(project, undisturbed):
    before = results(project)
    assert finish(project, start(project)) == undisturbed
    assert results(project) == before


def test_the_table_of_a_part_also_has_the_other_finished_cells(project, undisturbed):
    part = ("textbook=contextualized", "init=random", "teacher=general")
    assert finish(project, start(project, *part)) == undisturbed


def test_killing_the_driver_and_a_worker_changes_nothing(project, undisturbed):
    """SIGKILL to the driver, and in the second attempt to a worker, gives the same table and one run for each cell."""
    shutil.rmtree(project.folder / "data" / "cells")
    project.delete_runs()
    driver = start(project)
    wait_for(lambda: len(results(project)) >= 1 and len(started_cells(project)) >= 2, driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    done = results(project)
    second = start(project)
    wait_for(lambda: len(started_cells(project)) > len(done) and workers(second), second)
    os.kill(workers(second)[0].pid, signal.SIGKILL)
    table = finish(project, second)
    assert done.items() <= results(project).items()
    check_runs(project, table)
    assert figures(table) == figures(undisturbed)


def test_a_lost_node_loses_no_cell(project, undisturbed, monkeypatch):
    shutil.rmtree(project.folder / "data" / "cells")
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "src"))  # for the workers of the cluster's nodes
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = cluster.add_node(num_cpus=1)
        process = start(project, RAY_ADDRESS=cluster.address)
        wait_for(lambda: len(started_cells(project)) >= 2, process)
        cluster.remove_node(second, allow_graceful=False)
        assert figures(finish(project, process)) == figures(undisturbed)
    finally:
        cluster.shutdown()


def test_a_failed_cell_stays_in_the_table(project):
    project.change(sweep__set={"distill.steps": 30, "distill.lr": 1e30})
    process = start(project, "textbook=contextualized", "init=random", "teacher=task")
    assert process.wait(PATIENCE) == 1
    project.change(sweep__set={"distill.steps": 30})
    log = (project.folder / "sweep.log").read_text()
    assert "failed: distill: the loss of step" in log
    assert "error: 1 cells failed" in log
    (row,) = rows(project)
    assert (row["textbook"], row["state"]) == ("contextualized", "failed")


def test_snapshots_of_parts_of_the_textbook_are_scored_by_step(project):
    """One run for each part gives the paper's Figure 2."""
    settings = {"distill.steps": 30, "distill.snapshots": [10, 30]}
    project.change(sweep__top_percents=[50, 100], sweep__set=settings)
    table = finish(project, start(project, "textbook=contextualized", "init=random", "teacher=task"))
    project.change(sweep__top_percents=[100], sweep__set={"distill.steps": 30})
    with (project.folder / "reports" / "figure2.csv").open(newline="") as file:
        snapshots = list(csv.DictReader(file))
    assert [(row["top_percent"], row["step"]) for row in snapshots] == [
        ("50.0", "10"),
        ("50.0", "30"),
        ("100.0", "10"),
        ("100.0", "30"),
    ]
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    for cell in table:
        of_cell = [row for row in snapshots if row["run_id"] == cell["run_id"]]
        history = client.get_metric_history(cell["run_id"], "snapshot/score")
        assert [(metric.step, metric.value) for metric in history] == [
            (int(row["step"]), float(row["score"])) for row in of_cell
        ]
        # The last snapshot is the student itself, adapted with the same seeds.
        assert (of_cell[-1]["score"], of_cell[-1]["task_relation_loss"]) == (cell["mean"], cell["task_relation_loss"])
    assert client.get_run(table[0]["run_id"]).info.run_name.endswith(" · contextualized · top 50 %")
    half, whole = table
    assert int(half["texts"]) == ceil(int(whole["texts"]) / 2)
    for cell in table:
        losses = client.get_metric_history(cell["run_id"], "distill/loss")
        assert float(cell["textbook_relation_loss"]) == round(losses[-1].value, 4)
    with (project.folder / "reports" / "sizes.csv").open(newline="") as file:
        sizes = list(csv.DictReader(file))
    assert [(row["texts"], row["mean"]) for row in sizes] == [(cell["texts"], cell["mean"]) for cell in table]
    assert [bool(row["p"]) for row in sizes] == [True, False]


@pytest.fixture
def full_disk(project):
    """A full disk mounted at the folder of the cells, and a function that removes it. Mounting needs root's rights."""
    cells = project.folder / "data" / "cells"
    shutil.rmtree(cells, ignore_errors=True)
    cells.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "textbook-test", str(cells)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root's rights")
    unmount = ["umount", str(cells)]
    yield partial(subprocess.run, unmount, check=True)
    subprocess.run(unmount, capture_output=True)


def test_a_full_disk_is_one_line_and_with_free_space_the_cell_succeeds(project, undisturbed, full_disk):
    part = ("textbook=contextualized", "init=random", "teacher=task")
    assert start(project, *part).wait(PATIENCE) == 1
    log = (project.folder / "sweep.log").read_text()
    assert "failed: Error while serializing: I/O error: No space left on device" in log
    assert "free some disk space and run it again" in log
    assert "Traceback" not in log
    assert [row["state"] for row in rows(project)] == ["failed"]
    full_disk()  # unmounts it
    assert figures(finish(project, start(project, *part))) == figures(undisturbed[:1])


def test_seeds_and_shapes_share_a_pass_of_the_teacher(project):
    """One cohort of four students, with runs and rows of their own."""
    shapes = {"tiny": {"layers": 1, "hidden": 8, "heads": 2, "intermediate": 16}}
    shapes["small"] = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32}
    project.change(sweep__students=shapes, sweep__inits=["random"], sweep__seeds=[0, 1], sweep__cpus=2)
    table = finish(project, start(project, "textbook=contextualized", "teacher=task"))
    project.change(sweep__students={}, sweep__inits=["random", "general"], sweep__seeds=[0], sweep__cpus=1)
    assert [(row["student"], row["seed"]) for row in table] == [
        ("tiny", "0"),
        ("small", "0"),
        ("tiny", "1"),
        ("small", "1"),
    ]
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    for row in table:
        run = client.get_run(row["run_id"])
        assert run.info.run_name == f"films · random · task · contextualized · {row['student']}"
        assert run.data.params["student.hidden"] == str(shapes[row["student"]]["hidden"])
        assert run.data.metrics["student/accuracy"] == float(row["mean"])
    with (project.folder / "reports" / "comparisons.csv").open(newline="") as file:
        (pair,) = csv.DictReader(file)
    names = [f"random/task/contextualized/{name}" for name in ("tiny", "small")]
    assert [pair["first"], pair["second"]] == names


def test_bad_cells_are_stopped_early_and_not_started_again(project):
    """ASHA over four seeds stops some of them."""
    asha = {"grace_steps": 10, "reduction": 2}
    project.change(sweep__asha=asha, sweep__seeds=[0, 1, 2, 3], sweep__cpus=2, sweep__set={"distill.steps": 80})
    words = ("textbook=contextualized", "init=random", "teacher=task")
    table = finish(project, start(project, *words))
    states = [row["state"] for row in table]
    assert set(states) == {"done", "stopped"}
    assert finish(project, start(project, *words)) == table
    project.change(sweep__asha=None, sweep__seeds=[0], sweep__cpus=1, sweep__set={"distill.steps": 30})


def test_a_missing_tracking_server_is_named_immediately(project):
    process = start(project, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert process.wait(PATIENCE) == 1
    log = (project.folder / "sweep.log").read_text()
    assert "error: MLFLOW_TRACKING_URI = http://127.0.0.1:9: no MLflow server answers" in log
    assert "Running stage" not in log
