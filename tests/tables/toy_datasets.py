"""Small data sets as the hub has them, in local folders."""

from pathlib import Path

import datasets

FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})


def rows(count: int, first: int = 0) -> datasets.Dataset:
    """Rows with a text and a class."""
    numbers = range(first, first + count)
    return datasets.Dataset.from_dict(
        {"text": [f"The text number {n} is here." for n in numbers], "label": [n % 2 for n in numbers]}, FEATURES
    )


def write_files(folder: Path, files: dict[str, str | bytes], card: str = "") -> Path:
    """Write files, and a README.md with a YAML header if there is one."""
    for name, content in {**files, **({"README.md": f"---\n{card}\n---\n"} if card else {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


CONFIGS = """configs:
- config_name: small
  data_files:
  - {split: train, path: small/train-*}
  - {split: validation_matched, path: small/validation*}
- config_name: large
  data_files: large/*"""


def write_repository(folder: Path) -> Path:
    """A data set of two configurations; `small` has a training split in two files."""
    (folder / "small").mkdir(parents=True)
    (folder / "large").mkdir()
    rows(3).to_parquet(folder / "small" / "train-00000-of-00002.parquet")
    rows(2, first=3).to_parquet(folder / "small" / "train-00001-of-00002.parquet")
    rows(2, first=9).to_parquet(folder / "small" / "validation-00000-of-00001.parquet")
    rows(9).to_parquet(folder / "large" / "train.parquet")
    return write_files(folder, {}, CONFIGS)
