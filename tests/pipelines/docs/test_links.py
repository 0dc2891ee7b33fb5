"""Links of the repository become links of the site."""

import pytest

from pipelines.docs.links import code_page, linked_files, page_of, relink


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("README.md", "index.md"),
        ("docs/task.md", "task.md"),
        ("docs/flow.svg", "flow.svg"),
        ("cluster/README.md", "repository/cluster/README.md"),
        ("params.yaml", "repository/params.yaml.md"),
        ("LICENSE", "repository/LICENSE.md"),
    ],
)
def test_every_file_has_a_place_in_the_site(path: str, page: str) -> None:
    assert page_of(path) == page


@pytest.mark.parametrize(
    ("source", "link", "expected"),
    [
        ("README.md", "docs/task.md#by-hand", "task.md#by-hand"),
        ("README.md", "CONTRIBUTING.md", "repository/CONTRIBUTING.md"),
        ("docs/task.md", "../params.yaml", "repository/params.yaml.md"),
        ("docs/task.md", "input.md", "input.md"),
        ("docs/task.md", "../README.md", "index.md"),
        ("CONTRIBUTING.md", "docs/tour.md", "../tour.md"),
        ("cluster/README.md", "aws.yaml", "aws.yaml.md"),
        ("docs/task.md", "https://docs.ray.io", "https://docs.ray.io"),
        ("docs/task.md", "#by-hand", "#by-hand"),
        ("docs/task.md", "mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_a_link_leads_to_the_page_of_its_file(source: str, link: str, expected: str) -> None:
    assert (
        relink(f"See [this]({link}) and ![that]({link}).", source) == f"See [this]({expected}) and ![that]({expected})."
    )


def test_links_in_code_are_code() -> None:
    markdown = "[a](../a.yaml)\n\n```text\n[b](../b.yaml)\n```\n"
    assert relink(markdown, "docs/task.md") == markdown.replace("../a.yaml", "repository/a.yaml.md")
    assert list(linked_files(markdown, "docs/task.md")) == ["a.yaml"]


def test_a_file_with_fences_of_its_own_is_one_block() -> None:
    page = code_page("docs/a.sh", "```\nx\n")
    assert page.endswith("# docs/a.sh\n\n````sh\n```\nx\n````\n")
