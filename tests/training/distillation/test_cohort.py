"""Students that share a pass of the teacher are, to the bit, the students that they would be alone."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from toy_run import CPU, SETTINGS, toy_pair, toy_student, toy_tokens

import textbook.training.engine.checkpoints as checkpoints_module
from textbook.errors import UserError
from textbook.files import remove
from textbook.models.encoder import load_config
from textbook.models.student import make_student
from textbook.params import Student
from textbook.training.distillation.cohort import distill_cohort
from textbook.training.distillation.learner import Member

pytestmark = pytest.mark.usefixtures("one_thread")
WIDE = Student(layers=1, hidden=32, heads=4, intermediate=64)


@pytest.fixture
def settings():
    return SETTINGS.model_copy(update={"steps": 30, "snapshots": [7]})


@pytest.fixture
def make_members(tiny_teacher, tmp_path, settings):
    """A function that makes three members which differ in all that may differ, in folders below a name."""

    def make(name):
        pair = toy_pair(tiny_teacher)
        wide = make_student(WIDE, load_config(tiny_teacher), seed=3)
        pairs = [pair, replace(pair, student=toy_student(tiny_teacher)), replace(pair, student=wide, student_layer=1)]
        own = [{}, {"seed": 1, "lr": 2e-3}, {"seed": 2, "warmup": 0.5, "snapshots": []}]
        return [
            Member(
                pair,
                settings.model_copy(update=changes),
                checkpoints=tmp_path / name / str(number) / "checkpoints",
                snapshots=tmp_path / name / str(number) / "snapshots",
            )
            for number, (pair, changes) in enumerate(zip(pairs, own, strict=True))
        ]

    return make


def with_log(member, log):
    return replace(member, log=log)


def weights(members):
    return [{name: value.clone() for name, value in m.pair.student.state_dict().items()} for m in members]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for name, value in one.items():
            assert torch.equal(value, other[name]), name


@pytest.fixture
def alone(tiny_teacher, make_members):
    """The weights and losses of the three students when each is distilled alone."""
    members, losses = make_members("alone"), [[], [], []]
    for member, mine in zip(members, losses, strict=True):
        log = with_log(member, lambda _, figures, mine=mine: mine.append(figures["loss"]))
        assert distill_cohort([log], toy_tokens(tiny_teacher), devices=[CPU]) == [None]
    return weights(members), losses


def test_students_of_a_cohort_are_the_students_that_they_would_be_alone(tiny_teacher, make_members, alone, tmp_path):
    members, losses = make_members("together"), [[], [], []]
    logging = [
        with_log(member, lambda _, figures, mine=mine: mine.append(figures["loss"]))
        for member, mine in zip(members, losses, strict=True)
    ]
    assert distill_cohort(logging, toy_tokens(tiny_teacher), devices=[CPU]) == [None] * 3
    assert_same(weights(members), alone[0])
    assert losses == alone[1]
    assert len({tuple(values) for values in losses}) == 3
    for number in range(3):
        files = sorted((tmp_path / "alone" / str(number) / "snapshots").rglob("*.safetensors"))
        assert len(files) == (number < 2)
        for file in files:
            assert file.read_bytes() == (tmp_path / "together" / file.relative_to(tmp_path / "alone")).read_bytes()


def test_students_that_were_killed_at_different_steps_resume_together(
    tiny_teacher, make_members, alone, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoints_module, "CHECKPOINT_SECONDS", 0)

    class Killed(Exception):
        pass

    def die(step, _):
        if step == 20:
            raise Killed

    members = make_members("killed")
    with pytest.raises(Killed):
        distill_cohort([*members[:2], with_log(members[2], die)], toy_tokens(tiny_teacher), devices=[CPU])
    remove(tmp_path / "killed" / "1" / "checkpoints" / "00000019.safetensors")  # the second one was not yet so far
    remove(tmp_path / "killed" / "2" / "checkpoints")  # and the third had nothing
    resumed = make_members("killed")
    assert distill_cohort(resumed, toy_tokens(tiny_teacher), devices=[CPU]) == [None] * 3
    assert_same(weights(resumed), alone[0])


def test_a_student_that_is_done_waits_for_the_others(tiny_teacher, make_members, alone):
    members = make_members("done")
    distill_cohort(members[1:2], toy_tokens(tiny_teacher), devices=[CPU])
    steps = []
    again = make_members("done")
    logging = [again[0], with_log(again[1], lambda step, _: steps.append(step)), again[2]]
    assert distill_cohort(logging, toy_tokens(tiny_teacher), devices=[CPU]) == [None] * 3
    assert steps == []
    assert_same(weights(again), alone[0])


def test_a_student_whose_loss_is_not_finite_leaves_and_the_others_go_on(tiny_teacher, make_members, alone, tmp_path):
    members = make_members("bad")
    steps = []
    members[1] = with_log(members[1], lambda step, _: steps.append(step))

    def spoil(step, _):
        if step == 10:
            with torch.no_grad():
                members[1].pair.student.get_input_embeddings().weight.fill_(torch.nan)

    members[0] = with_log(members[0], spoil)
    errors = distill_cohort(members, toy_tokens(tiny_teacher), devices=[CPU])
    assert [error is None for error in errors] == [True, False, True]
    saved = tmp_path / "bad" / "1" / "checkpoints" / "batch-11.safetensors"
    assert str(errors[1]).startswith("distill: the loss of step 11 is nan; try a smaller distill.lr")
    assert str(errors[1]).endswith(f"its batch is in {saved}")
    assert saved.is_file()
    assert steps == [10]
    assert_same([weights(members)[0], weights(members)[2]], [alone[0][0], alone[0][2]])


def test_a_cohort_ends_when_all_its_students_have_left(tiny_teacher, make_members):
    members = make_members("none")
    for member in members:
        with torch.no_grad():
            member.pair.student.get_input_embeddings().weight.fill_(torch.nan)
    errors = distill_cohort(members, toy_tokens(tiny_teacher), devices=[CPU])
    assert all(isinstance(error, UserError) for error in errors)


def test_sigterm_writes_a_checkpoint_of_every_student(tiny_teacher, make_members, alone, tmp_path):
    members = make_members("terminated")

    def terminate(step, _):
        if step == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    members[0] = with_log(members[0], terminate)
    with pytest.raises(SystemExit) as exit_info:
        distill_cohort(members, toy_tokens(tiny_teacher), devices=[CPU])
    assert exit_info.value.code == 143
    written = sorted(path.relative_to(tmp_path) for path in (tmp_path / "terminated").rglob("0*.safetensors"))
    assert [path.parts[1] for path in written] == ["0", "1", "2"]
    assert {path.name for path in written} == {"00000010.safetensors"}
    resumed = make_members("terminated")
    distill_cohort(resumed, toy_tokens(tiny_teacher), devices=[CPU])
    assert_same(weights(resumed), alone[0])


def test_the_order_of_the_batches_has_a_seed_of_its_own(tiny_teacher, settings):
    losses = {}
    for name, changes in {"first": {}, "seed": {"seed": 1}, "order": {"order_seed": 1}}.items():
        mine = losses[name] = []
        still = toy_pair(
            tiny_teacher, toy_student(tiny_teacher, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        )
        member = Member(still, settings.model_copy(update=changes), log=lambda _, f, mine=mine: mine.append(f["loss"]))
        distill_cohort([member], toy_tokens(tiny_teacher), devices=[CPU])
    assert losses["seed"] == losses["first"]  # without dropout nothing else is random
    assert losses["order"] != losses["first"]


@pytest.mark.parametrize("chosen", [False, True])
def test_deterministic_algorithms_are_used_if_chosen(tiny_teacher, settings, chosen):
    used = []
    member = Member(
        toy_pair(tiny_teacher),
        settings.model_copy(update={"deterministic": chosen}),
        log=lambda *_: used.append(torch.are_deterministic_algorithms_enabled()),
    )
    distill_cohort([member], toy_tokens(tiny_teacher), devices=[CPU])
    assert used
    assert set(used) == {chosen}
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("changes", [{"order_seed": 1}, {"steps": 20}, {"batch": 8}])
def test_students_that_share_too_little_are_no_cohort(tiny_teacher, make_members, changes):
    members = make_members("unlike")
    members[1] = replace(members[1], settings=members[1].settings.model_copy(update=changes))
    with pytest.raises(ValueError, match=f"must have the same {next(iter(changes))}"):
        distill_cohort(members, toy_tokens(tiny_teacher), devices=[CPU])
    other = replace(members[0], pair=toy_pair(tiny_teacher))
    with pytest.raises(ValueError, match="must have the same teacher"):
        distill_cohort([members[0], other], toy_tokens(tiny_teacher), devices=[CPU])
