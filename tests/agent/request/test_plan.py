"""A study's configuration as the start of another one."""

from pathlib import Path

import pytest

from agent.desk.desk import Desk
from agent.desk.planning import Job
from agent.request.draft import NO_OVERRIDES, Overrides
from agent.request.plan import copied
from agent.settings import load_settings

REQUESTS = (
    "classify tickets.csv with MiniLM, 3 trials, 1 epoch",
    "classify tickets.csv, accuracy, learning rate between 1e-5 and 1e-3, rank 8 or 16, 20 minutes, seed 4",
    "tune on tickets.csv with dora and trade off macro-F1 against training time",
    "length-normalised DPO on stdlib:docstrings-pairs@60, beta between 2 and 10, seed 3",
)


@pytest.fixture
def desk(rows):
    """A desk over an empty home, in a directory with a file of labelled rows."""
    with Desk(load_settings()) as opened:
        yield opened


def stored(desk, request, overrides=NO_OVERRIDES):
    """A study of the plan for `request`; nobody runs it."""
    return desk.store.create_study(desk.plan(request, overrides).plan)


@pytest.mark.parametrize("request_", REQUESTS)
def test_an_unchanged_copy_is_the_very_same_plan(desk, request_):
    """Hash for hash, whatever was said, inferred or a flag."""
    study = stored(desk, request_, Overrides(trials=5))
    planned = desk.plan_copy(study.study_id)
    assert planned.plan.plan_hash == study.plan_hash
    assert planned.plan.notes[0] == "Copied from study 1: the very same plan."
    assert planned.card.changed == ()


def test_every_copied_value_says_where_it_comes_from(desk):
    """And what nobody said is a default again, not a wish."""
    study = stored(desk, REQUESTS[1])
    provenance = desk.plan_copy(study.study_id).plan.provenance
    for field in ("task", "data.train", "objective.metric", "search.learning_rate", "search.lora_rank", "seed"):
        told = provenance[field]
        assert "copied from study 1" in (told.quote, told.reason), field
    assert provenance["budget.trials"].source == "default"
    assert provenance["data.columns.text"].source == "inferred"


def test_words_and_flags_edit_a_copy(desk):
    """The note lists what differs, from what to what."""
    study = stored(desk, REQUESTS[0])
    planned = desk.plan_copy(study.study_id, "use rank 32 instead", Overrides(trials=7))
    assert (planned.plan.spec.budget.trials, planned.plan.spec.search.lora_rank) == (7, 32)
    assert {c.name for c in planned.card.changed} == {"budget.trials", "search.lora_rank"}
    assert "budget.trials is 7, was 3" in planned.plan.notes[0]
    assert planned.plan.request == f"{REQUESTS[0]}; use rank 32 instead"
    again = desk.edit(planned, "make it 4 trials")
    assert again.plan.spec.search.lora_rank == 32


def test_an_edit_draws_its_own_consequences(desk):
    """What followed from the copied metric does not stay when the metric goes."""
    study = stored(desk, REQUESTS[1])
    spec = desk.plan_copy(study.study_id, "minimise the validation loss instead").plan.spec
    assert (spec.objective.metric, spec.objective.direction) == ("eval_loss", "minimize")


def test_data_that_changed_since_are_another_plan(desk, tmp_path):
    """And the note says so, though no field of the spec differs."""
    study = stored(desk, REQUESTS[0])
    with (tmp_path / "tickets.csv").open("a") as rows:
        rows.write("one more refund,refund\n")
    planned = desk.plan_copy(study.study_id)
    assert planned.plan.plan_hash != study.plan_hash
    assert "the rows of the data" in planned.plan.notes[0]


def test_the_output_directory_is_not_copied(desk):
    """The first study's model lies there; the plan says that it was left out."""
    study = stored(desk, f"{REQUESTS[0]}, save to out/")
    planned = desk.plan_copy(study.study_id)
    assert planned.plan.spec.output.dir is None
    assert planned.plan.ignored == ("the output directory out/ of study 1",)


def test_relative_paths_are_those_of_the_study(desk, tmp_path, monkeypatch):
    """Another directory's file of the same name is never taken for it."""
    study = stored(desk, REQUESTS[0])
    monkeypatch.chdir(tmp_path.parent)
    assert copied(study.plan, study.study_id, study.cwd).spec.data.train == str(tmp_path / "tickets.csv")
    below = tmp_path / "below"
    below.mkdir()
    (below / "tickets.csv").write_text("text,label\nother,rows\n")
    monkeypatch.chdir(below)
    plan = Job("", load_settings(), NO_OVERRIDES, copies=study).plan().plan
    assert plan.refusal is not None
    assert plan.refusal.kind == "unsafe_path"  # it lies outside the directories allowed from here


def test_a_plan_to_look_at_is_copied_as_one_to_carry_out(desk):
    """Somebody approved it after looking."""
    study = stored(desk, f"plan to {REQUESTS[0]}")
    assert desk.plan_copy(study.study_id).plan.spec.intent == "train"


def test_the_copied_study_keeps_its_planner(desk, monkeypatch):
    """Also where another one is configured since; only a flag changes it."""
    study = stored(desk, REQUESTS[0])
    monkeypatch.setenv("TUNEWRIGHT_LLM", "openai:other")
    with Desk(load_settings()) as other:
        assert other.plan_copy(study.study_id).plan.llm == "embedded"


def test_copying_does_not_need_the_directory_of_the_study(desk, tmp_path):
    """A study made elsewhere whose files are gone keeps the names as they were written."""
    study = stored(desk, REQUESTS[0]).model_copy(update={"cwd": Path("/nowhere/at/all")})
    assert copied(study.plan, study.study_id, study.cwd).spec.data.train == "tickets.csv"
