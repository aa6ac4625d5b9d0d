"""The scorer on readers whose mistakes are known."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from evals.requests.labelled import LabelledRequest, load_part
from evals.requests.reading import Reading, reading_from_plan
from evals.requests.score import Reader, print_scores, same_value, score
from trainers.spec import Choices, Range, Scalar, SearchValue

ROWS = load_part("develop")
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-1000, 1000)
SCALARS: st.SearchStrategy[Scalar] = st.booleans() | NUMBERS | st.text(max_size=5)
VALUES: st.SearchStrategy[SearchValue] = st.one_of(
    SCALARS,
    st.tuples(NUMBERS, NUMBERS).map(lambda pair: Range(low=min(pair), high=max(pair))),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda choices: Choices(choices=tuple(choices))),
)


def labelled(
    gold: dict[str, SearchValue], ask: tuple[str, ...] = (), refusal: str | None = None, name: str = "a"
) -> LabelledRequest:
    return LabelledRequest(id=name, request=name, gold=gold, ask=ask, refusal=refusal)


def right(row: LabelledRequest) -> Reading:
    return Reading(fields=row.gold, values=row.gold, ask=row.ask, refusal=row.refusal)


def reader(readings: dict[str, Reading]) -> Reader:
    """Reads a conversation by looking it up under its first turn."""
    return lambda texts: readings[texts[0]]


def perfect(rows: tuple[LabelledRequest, ...]) -> Reader:
    by_texts = {tuple(row.texts): row for row in rows}
    return lambda texts: right(by_texts[tuple(texts)])


def test_perfect_reader_scores_one_everywhere() -> None:
    """Answering with the labels gives 1 for every rate and 0 for every rate of mistakes."""
    scores = score(ROWS, perfect(ROWS))
    assert (scores.n, scores.exact, scores.exact_ci95) == (len(ROWS), 1, (1, 1))
    assert (scores.all_fields.precision, scores.all_fields.recall, scores.invented_rate) == (1, 1, 0)
    assert (scores.ask.precision, scores.ask.recall, scores.ask.f1) == (1, 1, 1)
    assert (scores.refusal_accuracy, scores.unsafe_path_refused, scores.unsupported_refused) == (1, 1, 1)
    assert (scores.over_refused, scores.failures) == (0, ())
    assert all(kind.n == kind.n_exact for kind in scores.by_kind.values())


def test_empty_reader_finds_nothing_and_invents_nothing() -> None:
    """Saying nothing fails every row; rates without a divisor are None, not 0 or 1."""
    scores = score(ROWS, lambda texts: Reading())
    assert (scores.exact, scores.all_fields.recall) == (0, 0)
    assert scores.all_fields.precision is scores.invented_rate is scores.ask.precision is None
    assert (scores.ask.recall, scores.unsafe_path_refused, scores.unsupported_refused) == (0, 0, 0)
    assert len(scores.failures) == len(ROWS)


def test_one_invented_field_per_row_fails_every_row() -> None:
    """All gold fields right and one more: recall stays 1, and the invented are counted among the reported."""
    known = perfect(ROWS)

    def invents(texts: list[str]) -> Reading:
        reading = known(texts)
        return reading.model_copy(update={"fields": {**reading.fields, "made.up": 1}})

    scores = score(ROWS, invents)
    n_gold = sum(len(row.gold) for row in ROWS)
    assert (scores.exact, scores.all_fields.recall) == (0, 1)
    assert scores.invented_rate == len(ROWS) / (n_gold + len(ROWS))
    assert scores.by_field["made.up"].precision == 0
    assert scores.by_field["made.up"].recall is None


def test_counts_by_hand() -> None:
    """Three rows: one exact, one with a wrong value and a missing field, one with an invented field."""
    rows = (
        labelled({"intent": "train", "seed": 3}, name="a"),
        labelled({"intent": "train", "seed": 3, "task": "sft"}, name="b"),
        labelled({"intent": "status"}, name="c"),
    )
    readings = {
        "a": right(rows[0]),
        "b": Reading(fields={"intent": "train", "seed": 4}, values={"intent": "train", "seed": 4}),
        "c": Reading(fields={"intent": "status", "seed": 1}, values={"intent": "status", "seed": 1}),
    }
    scores = score(rows, reader(readings))
    seed = scores.by_field["seed"]
    assert scores.exact == pytest.approx(1 / 3)
    assert (seed.n_gold, seed.n_found, seed.n_reported, seed.n_reported_right, seed.n_invented) == (2, 1, 3, 1, 1)
    assert (scores.all_fields.precision, scores.all_fields.recall) == (pytest.approx(4 / 6), pytest.approx(4 / 6))
    assert scores.invented_rate == pytest.approx(1 / 6)
    wrong, inventing = scores.failures
    assert [(m.field, m.expected, m.got) for m in wrong.mismatches] == [("seed", 3, 4), ("task", "sft", None)]
    assert inventing.invented == {"seed": 1}
    assert (scores.by_kind["other"].n, scores.by_kind["other"].n_exact) == (3, 1)


def test_a_right_value_counts_whatever_its_provenance() -> None:
    """A stated field that the reader inferred is found; values that are not the user's are never invented."""
    row = labelled({"intent": "train", "task": "sft"})
    values: dict[str, SearchValue] = {"intent": "train", "task": "sft", "seed": 0}
    scores = score((row,), lambda texts: Reading(fields={"intent": "train"}, values=values))
    assert (scores.exact, scores.all_fields.recall, scores.invented_rate) == (1, 1, 0)


@pytest.mark.parametrize(
    ("ask", "refusal"),
    [((), None), (("seed", "task"), None), (("seed",), "ambiguous")],
    ids=["less", "more", "refused"],
)
def test_questions_and_refusals_must_be_the_same(ask: tuple[str, ...], refusal: str | None) -> None:
    """A question too few or too many, or another refusal, fails the row."""
    row = labelled({"intent": "train"}, ask=("seed",))
    scores = score((row,), lambda texts: right(row).model_copy(update={"ask": ask, "refusal": refusal}))
    assert scores.exact == 0
    assert scores.refusal_accuracy == (refusal is None)
    assert scores.over_refused == (refusal is not None)


def test_question_rates_by_hand() -> None:
    """Two needed, three asked, one of them right: 1/3, 1/2, and F1 of 2/5."""
    row = labelled({"intent": "train"}, ask=("seed", "loss"))
    scores = score((row,), lambda texts: right(row).model_copy(update={"ask": ("seed", "task", "adapter")}))
    assert scores.ask.precision == pytest.approx(1 / 3)
    assert scores.ask.recall == pytest.approx(1 / 2)
    assert scores.ask.f1 == pytest.approx(2 / 5)


def test_a_refusal_of_another_class_is_not_the_refusal() -> None:
    """Refusing an unsafe path as unsupported is a mistake, but no request was refused that should not be."""
    row = labelled({"intent": "train"}, refusal="unsafe_path")
    scores = score((row,), lambda texts: right(row).model_copy(update={"refusal": "unsupported_task"}))
    assert (scores.unsafe_path_refused, scores.refusal_accuracy, scores.over_refused) == (0, 0, None)


def test_the_order_of_questions_has_no_meaning() -> None:
    """Questions are a set."""
    row = labelled({"intent": "train"}, ask=("seed", "loss"))
    assert score((row,), lambda texts: right(row).model_copy(update={"ask": ("loss", "seed")})).exact == 1


def test_all_turns_reach_the_reader() -> None:
    """A conversation is read as a whole, oldest turn first."""
    row = LabelledRequest(id="a", turns=("one", "two"), gold={"intent": "train"})
    seen: list[list[str]] = []

    def read(texts: list[str]) -> Reading:
        seen.append(texts)
        return right(row)

    score((row,), read)
    assert seen == [["one", "two"]]


def test_no_rows_is_an_error() -> None:
    """There is no rate of nothing."""
    with pytest.raises(ValueError, match="at least one"):
        score((), lambda texts: Reading())


@given(VALUES)
def test_a_value_is_itself(value: SearchValue) -> None:
    """Comparison is reflexive, and nothing equals a missing value."""
    assert same_value(value, value)
    assert not same_value(value, None)


@given(VALUES, VALUES)
def test_comparison_is_symmetric(a: SearchValue, b: SearchValue) -> None:
    """It does not matter which of the two is the label."""
    assert same_value(a, b) == same_value(b, a)


@given(st.floats(1e-9, 1e9), st.floats(1e-5, 1))
def test_numbers_are_compared_relatively(number: float, off: float) -> None:
    """A deviation far below 1e-6 is the same number, one above is another, at every magnitude."""
    assert same_value(number, number * (1 + 1e-8))
    assert not same_value(number, number * (1 + off))


@given(st.permutations([8, 16, 32.0, "auto"]))
def test_choices_have_no_order(choices: list[Scalar]) -> None:
    """A list to choose from is a set, with numbers compared as numbers."""
    assert same_value(Choices(choices=(8.0, 16, 32, "auto")), Choices(choices=tuple(choices)))
    assert not same_value(Choices(choices=(8, 16, 32)), Choices(choices=tuple(choices)))


@pytest.mark.parametrize(
    ("a", "b"),
    [(True, 1), ("3", 3), ("Out/a", "out/a"), (2, Range(low=2, high=2)), (2, Choices(choices=(2,))), (0, 1e-9)],
)
def test_different_kinds_of_values_differ(a: SearchValue, b: SearchValue) -> None:
    """No coercion: of booleans and texts to numbers, of letter case, of a range or a list to a value."""
    assert not same_value(a, b)


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_interval_holds_the_rate(hits: list[bool]) -> None:
    """The bootstrap interval lies in [0, 1], contains the exact rate, and is the same every time."""
    rows = tuple(labelled({"intent": "train"}, name=f"{i}") for i in range(len(hits)))
    readings = {row.id: right(row) if hit else Reading() for row, hit in zip(rows, hits, strict=True)}
    scores = score(rows, reader(readings))
    low, high = scores.exact_ci95
    assert 0 <= low <= scores.exact <= high <= 1
    assert score(rows, reader(readings)).exact_ci95 == scores.exact_ci95


def test_interval_width_is_that_of_a_proportion() -> None:
    """For 50 of 100 rows the interval is about 0.5 plus or minus 1.96 sqrt(0.25 / 100)."""
    rows = tuple(labelled({"intent": "train"}, name=f"{i}") for i in range(100))
    scores = score(rows, reader({row.id: right(row) if i % 2 else Reading() for i, row in enumerate(rows)}))
    assert scores.exact_ci95 == (pytest.approx(0.402, abs=0.015), pytest.approx(0.598, abs=0.015))


PLAN: dict[str, object] = {
    "spec": {
        "intent": "train",
        "task": None,
        "data": {"train": "a.csv", "test": None, "columns": {"text": "body", "label": None}},
        "budget": {"trials": 10, "seconds": None},
        "search": {"beta": {"low": 2.0, "high": 10.0}, "lora_rank": {"choices": [8, 16]}, "epochs": 3},
        "output": {"dir": None, "merge": False},
    },
    "provenance": {
        "intent": {"source": "inferred", "quote": None, "reason": "a file to train on"},
        "data.train": {"source": "user", "quote": "a.csv", "reason": None},
        "data.columns.text": {"source": "user", "quote": "body"},
        "search.beta": {"source": "user", "quote": "beta 2 to 10"},
        "search.lora_rank": {"source": "user", "quote": "rank 8 or 16"},
        "budget.trials": {"source": "default"},
        "budget.seconds": {"source": "inferred", "quote": "0 minutes", "reason": "rejected: must be above 0"},
    },
    "questions": [{"field": "task", "question": "Which task?", "suggestion": None}],
    "refusal": {"class": "ambiguous", "message": "unclear"},
    "plan_hash": "0" * 64,
}


def test_reading_of_a_plan_has_users_fields_apart_from_the_rest() -> None:
    """Ranges and lists are one value each, nulls are left out, and only the user's fields are fields."""
    reading = reading_from_plan(PLAN)
    users = {
        "data.train": "a.csv",
        "data.columns.text": "body",
        "search.beta": Range(low=2, high=10),
        "search.lora_rank": Choices(choices=(8, 16)),
    }
    assert reading.fields == users
    others = {"intent": "train", "budget.trials": 10, "search.epochs": 3, "output.merge": False}
    assert reading.values == {**users, **others}
    assert (reading.ask, reading.refusal) == (("task",), "ambiguous")


def test_a_rejected_value_is_nobodys_field() -> None:
    """A field that is null in the spec is no field, even where its provenance names the user."""
    plan = {**PLAN, "provenance": {"budget.seconds": {"source": "user", "quote": "0 minutes"}}}
    assert reading_from_plan(plan).fields == {}


def test_a_plan_without_questions_or_refusal_has_none() -> None:
    """Both may be empty, null or absent."""
    reading = reading_from_plan({"spec": {}, "provenance": {}, "refusal": None})
    assert (reading.values, reading.ask, reading.refusal) == ({}, (), None)


def test_another_shape_is_refused() -> None:
    """JSON that is not a plan is an error, not an empty reading."""
    with pytest.raises(ValidationError, match="provenance"):
        reading_from_plan({"spec": {}})


def test_printed_scores_name_what_went_wrong() -> None:
    """Every kind of mistake is shown with what was expected; brackets in requests are shown as typed."""
    row = LabelledRequest(id="r9", request="[bold] x", gold={"seed": 3, "intent": "plan"}, ask=("loss",), refusal="x")
    reading = Reading(fields={"task": "sft"}, values={"seed": 4, "task": "sft"})
    out = io.StringIO()
    print_scores(score((row,), lambda texts: reading), Console(file=out, width=200))
    text = out.getvalue()
    for words in (
        "r9 (other): [bold] x",
        "seed: expected 3, got 4",
        'intent: expected "plan", got null',
        'task: invented "sft"',
        "questions: expected ['loss'], got []",
        "refusal: expected x, got None",
        "exact by kind: other 0/1",
    ):
        assert words in text


def test_printing_can_keep_the_rows_out_of_sight() -> None:
    """Without failures only numbers are shown."""
    row = labelled({"seed": 3}, name="hidden words")
    out = io.StringIO()
    print_scores(score((row,), lambda texts: Reading()), Console(file=out, width=200), failures=False)
    assert "hidden words" not in out.getvalue()
    assert "read exactly 0.000" in out.getvalue()
