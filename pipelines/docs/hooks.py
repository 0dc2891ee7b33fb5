"""What mkdocs calls while it builds the site: pages from the code, links and equations."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from ruamel.yaml import YAML

from pipelines.docs.equations import with_equations
from pipelines.docs.errors_page import assign, errors_page, read_advice
from pipelines.docs.links import DOCS, FIRST, code_page, linked_files, page_of, relink
from pipelines.docs.messages_in_code import messages_in_code
from pipelines.docs.parameters_page import parameters_page
from textbook.params_file import load_params

CODE = ("src", "pipelines", "tracking")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README as the first page, and a page for each file of the repository that a page links to."""
    root = Path(config.config_file_path).parent
    waiting = [FIRST, *(f"{DOCS}{file.src_uri}" for file in files.documentation_pages())]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        text = (root / path).read_text(encoding="utf-8")
        is_markdown = path.endswith(".md")
        if not path.startswith(DOCS):
            content = relink(text, path) if is_markdown else code_page(path, text)
            files.append(File.generated(config, page_of(path), content=content))
        for other in linked_files(text, path) if is_markdown else ():
            # mkdocs has all files of its folder already, and warns of links to what is not there
            if other not in seen and not other.startswith(DOCS) and (root / other).is_file():
                seen.add(other)
                waiting.append(other)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is made from the code, and make links and equations those of a site."""
    if page.file.generated_by:
        return markdown
    root = Path(config.config_file_path).parent
    for what, make in {"list of errors": _errors, "parameters": _parameters, "tables": _scale}.items():
        mark = f"*`make docs` puts the {what} here.*"
        if mark in markdown:
            markdown = markdown.replace(mark, make(root))
    return relink(with_equations(markdown), f"{DOCS}{page.file.src_uri}")


def _errors(root: Path) -> str:
    assigned, wrong = assign(messages_in_code(root, CODE), read_advice(root / DOCS / "errors.yaml"))
    if wrong:
        raise PluginError("docs/errors.yaml: " + "; ".join(wrong))
    return errors_page(assigned)


def _parameters(root: Path) -> str:
    return parameters_page(YAML(typ="safe", pure=True).load(root / "profiles" / "default.yaml"))


def _scale(root: Path) -> str:
    from pipelines.docs.scale_page import scale_page  # transformers takes seconds to import

    cost = load_params(root / "profiles" / "default.yaml").tracking.cost_per_hour
    return scale_page(root / "benchmarks" / "results", cost)
