"""Parameters that are valid by themselves but contradict each other."""

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from toy_params import AUGMENTED, DATA, DELETE, MASKED_LM, problems_of, write_params

from textbook.errors import UserError
from textbook.params_file import check_params

SAVED = {"name": "saved", "stream": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"student.hidden": 100}, "distill.relation_heads = 24: must divide student.hidden = 100"),
        ({"student.hidden": 90}, "student.hidden = 90: must be a multiple of student.heads = 12"),
        ({"teacher.asset": "bert"}, "teacher.asset = 'bert': must be one of the assets encoder, films, news"),
        ({"tasks.mood.asset": "film"}, "tasks.mood.asset = 'film': must be one of the assets encoder, films, news"),
        ({"corpus.sources.news.asset": "old"}, "corpus.sources.news.asset = 'old': must be one of the assets"),
        ({"assets.path.films": {"path": "x"}}, "assets: 'films' is defined more than once"),
        ({"assets.hub.encoder": DATA["assets"]["hub"]["news"]}, "assets: 'encoder' is defined more than once"),
        ({"assets.dataset.d": SAVED, "tasks.mood.asset": "d"}, "tasks.mood.asset = 'd': must not be streamed; only a"),
        (
            {"assets.url.web": {"url": "s3://bucket/web"}, "tasks.mood.asset": "web"},
            "tasks.mood.asset = 'web': must not be at a URL; only a source of the corpus can be",
        ),
        ({"assets.dataset.d": SAVED, "teacher.asset": "d"}, "teacher.asset = 'd': must not be streamed; only a source"),
        (
            {"assets.dataset.d": SAVED, "corpus.sources.news.asset": "d", "corpus.sources.news.files": "a*"},
            "corpus.sources.news.files = 'a*': must be left out, because assets.dataset.d is streamed",
        ),
        (
            {"assets.dataset.d": {"name": "glue", "revision": "a" * 40}},
            "assets.dataset.d.name = 'glue': must be owner/name with a revision, or a folder without one",
        ),
        (
            {"assets.dataset.d": {"name": "saved", "splits": ["a", "a"]}},
            "assets.dataset.d.splits = ['a', 'a']: must name each split once",
        ),
        ({"assets.dataset.d": {"name": "~/saved"}}, "assets.dataset.d.name = '~/saved': `~` is not expanded; write"),
        (
            {"assets.path.encoder.path": "~/encoder"},
            f"assets.path.encoder.path = '~/encoder': `~` is not expanded; write {os.path.expanduser('~/encoder')!r}",
        ),
        (
            {"assets.masked_lm.filler": {**MASKED_LM, "encoder": "filler"}},
            "assets.masked_lm.filler.encoder = 'filler': must be one of the assets encoder, films, news",
        ),
        (  # circular: the masked language model is trained on the corpus
            {"assets.masked_lm.filler": MASKED_LM, "corpus.sources.news.asset": "filler"},
            "corpus.sources.news.asset = 'filler': must be one of the assets encoder, films, news",
        ),
        ({"assets.masked_lm.films": MASKED_LM}, "assets: 'films' is defined more than once"),
        ({"corpus.sources": {}}, "corpus.sources: must name at least one source"),
        ({"teacher.zero": {"stage": 0, "offload": True}}, "teacher.zero.offload = true: must be false at stage 0"),
        ({"teacher.precision": "fp16"}, "teacher.precision = 'fp16': needs teacher.zero.stage = 1, 2 or 3"),
        (
            {"sweep.tasks": {"mod": {"distill.steps": 8}}},
            "sweep.tasks.mod: must be one of the tasks match, mood",
        ),
        (
            {"sweep.students": {"tiny": {"layers": 1, "hidden": 50, "heads": 12, "intermediate": 64}}},
            "sweep.students.tiny.hidden = 50: must be a multiple of sweep.students.tiny.heads = 12",
        ),
        (
            {"sweep.students": {"tiny": {"layers": 1, "hidden": 36, "heads": 12, "intermediate": 64}}},
            "distill.relation_heads = 24: must divide sweep.students.tiny.hidden = 36",
        ),
        (
            {"sweep.students": {"tiny": {"layers": 1, "hidden": 48, "heads": 12, "intermediate": 64}}},
            "sweep.inits = ['random', 'general']: must be ['random'] with sweep.students",
        ),
        (
            {"sweep.tasks": {"mood": {"teacher.lr": 1e-5}}},
            "sweep.tasks.mood: 'teacher.lr' must be a parameter of distill or adapt other than init",
        ),
        (
            {"teacher.tasks": {"mod": {"batch": 8, "lr": 1e-5}}},
            "teacher.tasks.mod: must be one of the tasks match, mood",
        ),
        ({"distill.textbook": "augmented"}, "distill.textbook = 'augmented': needs textbooks.augmented.match"),
        ({"textbooks.augmented": {"mod": AUGMENTED}}, "textbooks.augmented.mod: must be one of the tasks match, mood"),
        (
            {"textbooks.augmented": {"mood": {**AUGMENTED, "vectors": "glove"}}},
            "textbooks.augmented.mood.vectors = 'glove': must be one of the assets encoder, films, news",
        ),
        ({"evaluate.lengths": [16, 65]}, "evaluate.lengths = [16, 65]: must not exceed adapt.max_length = 64"),
        ({"corpus.min_words": 65}, "corpus.min_words = 65: must not exceed corpus.max_words = 64"),
        ({"corpus.language": "xx"}, "corpus.language = 'xx': has no list of stop words; must be one of af, ar, bg,"),
        ({"corpus.language": "lo"}, "corpus.language = 'lo': Lao, which is written without spaces, is not supported;"),
        ({"tasks.mood.labels": ["good", "good"]}, "tasks.mood.labels = ['good', 'good']: must name each class once"),
        (
            {"tasks.mood.scale": [0, 5]},
            "tasks.mood.labels: set either `labels` (the classes) or `scale` (the lowest and",
        ),
        (
            {"tasks.mood.labels": DELETE, "tasks.mood.scale": [5, 5]},
            "tasks.mood.scale = [5.0, 5.0]: must be the lowest and the highest value, in this order",
        ),
        (
            {"tasks.mood.metrics": ["accuracy", "pearson"]},
            "tasks.mood.metrics = ['accuracy', 'pearson']: 'pearson' is not one of accuracy, f1, macro_f1, matthews",
        ),
        (
            {"tasks.mood.metrics": ["f1"], "tasks.mood.labels": ["a", "b", "c"]},
            "tasks.mood.metrics = ['f1']: 'f1' needs two classes; for 3 use 'macro_f1'",
        ),
        ({"tasks.mood.metrics": ["f1", "f1"]}, "tasks.mood.metrics = ['f1', 'f1']: must name each metric once"),
        ({"tasks.match.validation": ["train"]}, "tasks.match.validation = ['train']: must name splits other than"),
        (
            {"tasks.mood.validation": ["dev", "web"]},
            "tasks.mood.holdout = 10: gives one validation split, but validation",
        ),
        ({"tasks.mood.test": "train"}, "tasks.mood.test = 'train': must be another split than those for training and"),
        ({"tasks.match.test": "validation"}, "tasks.match.test = 'validation': must be another split than those for"),
    ],
)
def test_contradictory_values_are_rejected(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems_of(write_params(tmp_path, changes)))


def test_a_project_has_at_most_200_tasks(tmp_path: Path) -> None:
    raw = YAML(typ="safe", pure=True).load(write_params(tmp_path, {}))
    task = raw["tasks"]["mood"]
    raw["tasks"] |= {f"mood_{number}": task for number in range(200)}
    raw["distill"]["textbook"] = "general"
    with pytest.raises(UserError, match=r"tasks: has \d+ tasks; DVC, which checks all stages, takes at most 200"):
        check_params(raw, "params.yaml")
