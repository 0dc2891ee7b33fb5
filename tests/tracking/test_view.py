"""The UI in a real browser: its default columns and charts, and the comparison of runs."""

import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from textbook.training.engine.log import log_to_file
from tracking.record import Record
from tracking.runs import record_cell
from tracking.server import free_port, wait_until_healthy
from tracking.sweeps import end_sweep, start_sweep

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "reports" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TEXTBOOKS = ("general", "augmented", "contextualized", "contextualized+augmented")

# Keeps closed the panel that MLflow 3.17 opens for a new user.
WITHOUT_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


def fill(client, folder):
    """Record a sweep of 16 cells."""
    sweep = start_sweep(client, "textbook", "sweep of 16 cells", "grid", {})
    for number, (init, teacher, textbook) in enumerate(product(("random", "general"), ("task", "general"), TEXTBOOKS)):
        loss = 1.9 - 0.2 * TEXTBOOKS.index(textbook) - 0.1 * (init == "general")
        log = log_to_file(folder / f"{number}.jsonl")
        for step in range(10, 160, 10):
            log(step, {"loss": loss + 20 / step, "tokens_per_second": 9000.0})
        record = Record(
            f"cell-{number}",
            "rotten_tomatoes",
            init,
            teacher,
            textbook,
            params={"distill.steps": 150},
            curves={"distill": folder / f"{number}.jsonl"},
            metrics={
                "student/score": 70.0 + number + 0.25,
                "student/score_std": 0.5,
                "task_relation_loss": loss,
                "cost/seconds": 60.0 + number,
                "cost/device_hours": 0.02,
            },
        )
        record_cell(client, sweep.experiment, record, parent=sweep.run_id)
    (folder / "sweep.csv").write_text("task\n")
    end_sweep(client, sweep, [folder / "sweep.csv"], "", complete=True)


@pytest.fixture
def ui(client, tmp_path):
    """The address that `make ui` prints, over a store with a sweep."""
    fill(client, tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    port, environment = free_port(), {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with (tmp_path / "ui.log").open("w") as log:
        command = [sys.executable, "-m", "pipelines.commands.ui", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
    wait_until_healthy(f"http://127.0.0.1:{port}", server, tmp_path / "ui.log")
    yield re.search(r"http://\S+viewStateShareKey=\S+", (tmp_path / "ui.log").read_text()).group()
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_the_ui_opens_with_columns_and_charts_and_compares_runs(ui):
    from playwright.sync_api import sync_playwright

    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(90_000)
        page.add_init_script(WITHOUT_ASSISTANT)

        page.goto(ui)
        page.get_by_text("85.25").first.wait_for()  # the best cell
        columns = [cell.inner_text() for cell in page.get_by_role("columnheader").all()]
        assert {"student/score", "student/score_std", "task_relation_loss", "cost/seconds"} <= set(columns)
        scores = [
            float(cell.inner_text())
            for cell in page.locator("[role=gridcell][col-id='metrics.`student/score`']").all()[:16]
        ]
        assert scores == sorted(scores, reverse=True)
        page.get_by_label("Hide banner").click()
        page.screenshot(path=SHOTS / "runs.png")

        for row in (0, 8):
            page.locator(f"[role=row][row-index='{row}'] input[type=checkbox]").first.check()
        page.get_by_test_id("runs-compare-button").click()
        page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
        page.get_by_text("task_relation_loss").first.wait_for()
        shown = page.locator("body").inner_text()
        for part in (
            "student/score",
            "85.25",
            "77.25",
            "cost/seconds",
            "75",
            "67",
            "general · general",
            "random · general",
        ):
            assert part in shown
        page.get_by_text("Parallel Coordinates Plot").wait_for()
        page.screenshot(path=SHOTS / "compare.png", full_page=True)

        page.goto(f"{ui}&compareRunsMode=CHART")
        page.get_by_text("The grid").first.wait_for()
        bars = page.locator("g.barlayer g.point")
        bars.first.wait_for()
        assert bars.count() >= 16
        for axis in ("init", "teacher", "textbook", "student/score"):  # the axes of the parallel coordinates
            page.locator("svg text").get_by_text(axis, exact=True).first.wait_for()
        page.get_by_label("Hide banner").click()
        page.screenshot(path=SHOTS / "charts.png")
        browser.close()
