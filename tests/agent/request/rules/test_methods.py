"""What a request says of stopping hopeless trials early."""

import pytest

from agent.request.llm_reader import Claim, Reading, draft_of
from agent.request.rules.reader import read_by_rules


def said(request: str) -> bool | None:
    """What was read, which must then have its words beside it."""
    draft = read_by_rules(request)
    value = None if draft.spec.budget is None else draft.spec.budget.early_stopping
    assert (value is not None) == ("budget.early_stopping" in {quote.field for quote in draft.quotes})
    return value


@pytest.mark.parametrize(
    "words",
    [
        "stop hopeless runs early",
        "with early stopping",
        "with early stopping, at most 30 trials",
        "kill bad trials",
        "prune unpromising configurations",
        "stop trials early",
        "early_stopping: true",
        "--early-stopping",
    ],
)
def test_it_may_be_asked_for(words: str) -> None:
    """Words on hopeless trials, or the name of it."""
    assert said(f"classify bank.csv, {words}") is True


@pytest.mark.parametrize(
    "words",
    [
        "no early stopping",
        "don't use early stopping",
        "without pruning",
        "never stop a trial early",
        "don't stop any of them early",
        "let every trial run to its end",
        "run all 12 trials in full",
        "early_stopping=false",
        "turn off early stopping",
    ],
)
def test_it_may_be_forbidden(words: str) -> None:
    """Words against it are a wish of their own, not a mere negation."""
    assert said(f"classify bank.csv, {words}") is False


@pytest.mark.parametrize(
    "words",
    [
        "12 trials",
        "stop early once accuracy reaches 0.9",
        "stop at 90 % accuracy",
        "early stopping once accuracy reaches 0.9",
        "early stopping with a patience of 3",
        "finish early",
    ],
)
def test_other_ends_are_no_word_on_it(words: str) -> None:
    """A target, patience in epochs and hurry state nothing."""
    assert said(f"classify bank.csv, {words}") is None


def test_patience_is_not_read_as_epochs() -> None:
    """Its number belongs to it."""
    draft = read_by_rules("classify bank.csv, early stopping with patience of 3 epochs")
    assert "search.epochs" not in {quote.field for quote in draft.quotes}


def test_the_number_of_trials_beside_it_is_kept() -> None:
    """ "All 12 trials to the end" says two things."""
    budget = read_by_rules("classify bank.csv, run all 12 trials to the end").spec.budget
    assert budget is not None
    assert (budget.trials, budget.early_stopping) == (12, False)


def test_both_is_asked_about() -> None:
    """A contradiction is the user's to settle."""
    draft = read_by_rules("classify bank.csv with early stopping and let every trial run to its end")
    assert [question.field for question in draft.questions] == ["budget.early_stopping"]


def test_an_edit_takes_it_back() -> None:
    """ "Without early stopping" after "with"."""
    first = read_by_rules("classify bank.csv with early stopping")
    budget = read_by_rules("no early stopping", first).spec.budget
    assert budget is not None
    assert budget.early_stopping is False


def test_a_planner_llm_may_read_it_too() -> None:
    """With its words, as any field."""
    request = "classify bank.csv and run every trial to its end"
    claims = (
        Claim(field="data.train", quote="bank.csv", value="bank.csv", stated=True),
        Claim(field="budget.early_stopping", quote="run every trial to its end", value="false", stated=True),
    )
    draft = draft_of(Reading(thinking="", claims=claims, refusal=None, questions=(), ignored=()), request)
    assert draft.spec.budget is not None
    assert draft.spec.budget.early_stopping is False
    assert "budget.early_stopping" in {quote.field for quote in draft.quotes}
