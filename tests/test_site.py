"""The documentation as a site: built without a warning, complete, and without a request to another machine."""

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from toy_markdown import PAGES, ROOT

from textbook.params import Params

pytestmark = pytest.mark.slow

SHOTS = ROOT / "reports" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = ["index" if page.name == "README.md" else page.stem for page in PAGES]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # as in the Makefile
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert "WARNING" not in process.stderr
    return folder


def html(site: Path, page: str) -> str:
    return (site / f"{page}.html").read_text()


def test_all_pages_are_there_and_load_nothing_from_elsewhere(site: Path) -> None:
    for page in NAMES:
        text = html(site, page)
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"?(?:https?:)?//[^\s\">]+", text)
        assert loaded == [], page


def test_what_is_made_from_the_code_is_in_its_page(site: Path) -> None:
    assert "a quote that opens here is never closed" in html(site, "troubleshooting")
    assert all(f'id="{section}"' in html(site, "parameters") for section in Params.model_fields)
    assert 'id="distill-steps"' in html(site, "parameters")
    assert "core hours" in html(site, "scale")
    for page in ("troubleshooting", "parameters", "scale"):
        assert "make docs</code> puts" not in html(site, page)


def test_the_method_has_its_equations_and_their_code(site: Path) -> None:
    page = html(site, "method")
    assert page.count("<math") > 20
    assert "$" not in re.sub(r"<(script|style|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    for function in ("relation_loss", "fit_budget", "teacher_loss", "holm"):
        assert re.search(rf'<span class="nf">{function}</span>', page), function


def test_a_file_of_the_repository_that_a_page_links_to_is_a_page(site: Path) -> None:
    assert 'href="repository/params.yaml.html"' in html(site, "task")
    assert "relation_heads" in html(site, "repository/params.yaml")
    assert 'href="aws.yaml.html"' in html(site, "repository/cluster/index")


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_pages_fit_a_phone_a_desktop_and_the_dark_and_the_search_finds_an_error(address: str) -> None:
    from playwright.sync_api import sync_playwright

    SHOTS.mkdir(parents=True, exist_ok=True)
    requests: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        sizes = (("desktop", 1280, "light", NAMES), ("phone", 390, "light", NAMES), ("dark", 1280, "dark", NAMES[:1]))
        for name, width, scheme, paths in sizes:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("request", lambda request: requests.append(request.url))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            for path in paths:
                page.goto(f"{address}/{path}.html")
                assert page.evaluate("document.scrollingElement.scrollWidth") <= width, path
                page.screenshot(path=SHOTS / f"docs-{path}-{name}.png")
        assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"  # the dark one
        page.goto(f"{address}/index.html")
        page.get_by_role("textbox", name="Search").fill("quote that opens here")
        page.locator(".md-search-result__link[href*=troubleshooting]").first.wait_for()
    assert [url for url in requests if not url.startswith((address, "data:"))] == []
    assert errors == []
