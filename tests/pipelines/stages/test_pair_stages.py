"""The stages `contextualized` and `general` for tasks of pairs: pairs as alike as those of the task."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_pairs import TASKS, make_corpus, make_task

from pipelines.stages.contextualized import main as contextualized
from pipelines.stages.general import main as general
from textbook.corpus.merge import write_corpus
from textbook.corpus.shards import corpus_hash, read_shards
from textbook.errors import UserError
from textbook.files import hash_folder, read_json, sha256
from textbook.params import Params
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index
from textbook.textbooks.book import MADE_SCHEMA, SCHEMA
from textbook.textbooks.pairs.likeness import Likeness, likeness

ROOT = Path(__file__).parents[3]
TASK = "rotten_tomatoes"
BOOKS = Path("data/textbooks", TASK)
STAGES = {"contextualized": contextualized, "general": general}
Stage = Callable[[Params, str], None]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A new project with a corpus and its index."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "pipelines" / "expectations", "pipelines/expectations")
    pq.write_table(pa.table({"sentence": make_corpus(1_500)}), "web.parquet")
    write_corpus({"web": Path("web.parquet")}, Path("data/corpus"), shard_rows=400)
    raw = load_params(ROOT / "params.yaml").model_dump()
    raw["textbooks"]["general"]["sentences"] = 1_001
    raw["textbooks"]["contextualized"]["k"] = 20
    loaded, corpus = Params.model_validate(raw), Path("data/corpus")
    build_index(read_shards(corpus), Path("data/index/bm25s"), loaded.index, corpus_hash(corpus))
    return loaded


def write_task(name: str, validation: tuple[list[str], list[str]] | None = None) -> None:
    for split, texts in (("train", make_task(name, 200)), ("validation", validation or make_task(name, 20, seed=9))):
        columns = {"sentence1": texts[0], "sentence2": texts[1], "label": [0, 1] * (len(texts[0]) // 2)}
        path = Path("data/tasks", TASK, f"{split}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)


def with_settings(params: Params, **settings: object) -> Params:
    """The parameters with changed settings of the contextualized textbook."""
    raw = params.model_dump()
    raw["textbooks"]["contextualized"] |= settings
    return Params.model_validate(raw)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", STAGES)
def test_pairs_are_as_alike_as_those_of_the_task_and_are_counted(params: Params, kind: str, task: str) -> None:
    write_task(task)
    STAGES[kind](params, TASK)
    book, figures = pq.read_table(BOOKS / f"{kind}.parquet"), read_json(BOOKS / f"{kind}.json")
    assert book.schema.equals(MADE_SCHEMA)
    assert figures["pairs"] == book.num_rows > 400
    assert figures["sentences"] == 2 * book.num_rows
    assert figures["pair_overlap_distance"] < 0.04
    assert figures["pair_overlap_p50"] == pytest.approx(figures["task_pair_overlap_p50"], abs=0.05)
    made = book["made"].to_pylist()
    assert {f"pairs_{how}": made.count(how) for how in set(made)} == {
        name: count for name, count in figures.items() if name.startswith("pairs_")
    }
    assert ("rank" in figures or book["rank"].null_count == len(book)) is (kind == "general")
    shutil.rmtree("reports")
    first = hash_folder(BOOKS)
    STAGES[kind](params, TASK)
    assert hash_folder(BOOKS) == first


@pytest.mark.parametrize("unit", ["sentences", "bytes"])
def test_a_textbook_of_pairs_fits_its_budget(params: Params, unit: str) -> None:
    write_task("paraphrase")
    size = {"sentences": 700, "bytes": 100_000}[unit]
    contextualized(with_settings(params, budget={"unit": unit, "size": size}), TASK)
    assert size / 2 < read_json(BOOKS / "contextualized.json")[unit] <= size


@pytest.mark.parametrize("kind", STAGES)
def test_neither_text_of_a_pair_repeats_evaluation_data(params: Params, kind: str) -> None:
    write_task("premise")
    STAGES[kind](params, TASK)
    before = pq.read_table(BOOKS / f"{kind}.parquet").to_pylist()
    copied = [before[0]["sentence"], before[3]["sentence2"].upper(), before[5]["sentence"], before[5]["sentence2"]]
    write_task("premise", (copied[:2], copied[2:]))
    STAGES[kind](params, TASK)
    after = pq.read_table(BOOKS / f"{kind}.parquet").to_pylist()
    texts = {row[side].lower() for row in after for side in ("sentence", "sentence2")}
    assert texts.isdisjoint(text.lower() for text in copied)
    assert read_json(BOOKS / f"{kind}.json")["leaks"] >= 3
    assert {row["sentence"] for row in after} < {row["sentence"] for row in before}


@pytest.mark.parametrize("kind", STAGES)
def test_a_textbook_far_from_its_task_is_refused(params: Params, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_task("paraphrase")

    def unlike(first: list[str], second: list[str]) -> Likeness:
        """Measure texts that are not pairs of the task."""
        return likeness(first, [*second[1:], second[0]])

    where = {"contextualized": "textbook.textbooks.selection", "general": "pipelines.stages.general"}
    monkeypatch.setattr(f"{where[kind]}.likeness", unlike)
    with pytest.raises(UserError, match=r"\.json: fails expect_column_values_to_be_between .*pair_overlap_distance"):
        STAGES[kind](params, TASK)
    assert not (BOOKS / f"{kind}.parquet").exists()


@pytest.mark.parametrize("pairs", ["anchor", None])
def test_without_overlap_the_general_textbook_has_single_sentences(params: Params, pairs: str | None) -> None:
    write_task("paraphrase")
    general(with_settings(params, pairs=pairs), TASK)
    assert pq.read_schema(BOOKS / "general.parquet").equals(SCHEMA)


@pytest.mark.parametrize("pairs", ["overlap", "anchor", None])
def test_textbooks_of_single_sentences_keep_their_bytes(params: Params, pairs: str | None) -> None:
    first, _ = make_task("paraphrase", 200)
    for split, texts in (("train", first[:150]), ("validation", first[150:])):
        path = Path("data/tasks", TASK, f"{split}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"sentence": texts, "label": [0, 1] * (len(texts) // 2)}), path)
    for stage in STAGES.values():
        stage(with_settings(params, pairs=pairs), TASK)
    assert {kind: sha256(BOOKS / f"{kind}.parquet")[:16] for kind in STAGES} == {
        "contextualized": "ad90090859a4177e",
        "general": "df07e3fd12446117",
    }
