"""What the planner LLM is told of the optimiser's knowledge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.search.llm.digest import digest_lines, failure_lines, importance_lines, region_lines
from agent.study.nouns import History
from tests.agent.search.spaces import TYPICAL, history, spaces, trial
from trainers.space import Space
from trainers.spec import Direction


def rates(scores: dict[float, float | None], direction: Direction = Direction.MAXIMIZE) -> History:
    """Trials at these learning rates; None failed."""
    default = TYPICAL.default()
    trials = [trial(i, default | {"learning_rate": lr}, score) for i, (lr, score) in enumerate(scores.items())]
    return History(direction=direction, trials=tuple(trials))


def test_a_boundary_of_failures_is_told_in_words_and_numbers() -> None:
    """Above 1e-3 everything failed, below nothing did."""
    past = rates({1e-5: 0.5, 1e-4: 0.7, 3e-4: 0.8, 1e-3: None, 1.5e-3: None, 2e-3: None, 3e-3: None, 2.5e-3: None})
    assert failure_lines(TYPICAL, past) == [
        "5 of 5 trials with learning_rate >= 1e-3 failed (NAN x5); 0 of the other 3"
    ]


def test_a_choice_that_fails_is_told() -> None:
    """Unordered choices are named."""
    configs = [TYPICAL.default() | {"learning_rate": 1e-4 * (i + 1)} for i in range(6)]
    linear = {k: v for k, v in configs[0].items() if k != "warmup_ratio"} | {"scheduler": "linear"}
    trials = [trial(i, c, 0.5) for i, c in enumerate(configs[:4])]
    trials += [trial(4, linear), trial(5, linear | {"epochs": 3})]
    told = failure_lines(TYPICAL, History(direction=Direction.MAXIMIZE, trials=tuple(trials)))
    assert "2 of 2 trials with scheduler linear failed (NAN x2); 0 of the other 4" in told


@pytest.mark.parametrize("scores", [{1e-4: None, 1e-3: 0.5}, {1e-5: None, 1e-4: 0.6, 3e-4: None, 1e-3: 0.7, 2e-3: 0.6}])
def test_no_boundary_where_there_is_none(scores: dict[float, float | None]) -> None:
    """One failure, or failures between successes, are no boundary."""
    assert failure_lines(TYPICAL, rates(scores)) == []


@pytest.mark.parametrize("direction", list(Direction))
def test_regions_and_correlations_know_the_direction(direction: Direction) -> None:
    """Rates near 3e-4 are best, and higher ones better than lower ones, whether the score is a gain or a loss."""
    sign = 1.0 if direction is Direction.MAXIMIZE else -1.0
    values = {1e-5: 0.1, 2e-5: 0.2, 4e-5: 0.3, 8e-5: 0.4, 1.2e-4: 0.5, 2e-4: 0.8, 3e-4: 0.9, 4e-4: 0.85}
    past = rates({lr: sign * score for lr, score in values.items()}, direction)
    assert region_lines(TYPICAL, past)[0].startswith("best 2 of 8 trials: learning_rate 3e-4 to 4e-4; lora_rank 16;")
    assert importance_lines(TYPICAL, past) == ["correlation with a better score: learning_rate +0.98"]


def test_the_optimisers_suggestions_are_passed_on() -> None:
    """At most three, and none that the space does not know."""
    config = TYPICAL.default()
    lines = digest_lines(TYPICAL, history(TYPICAL, ""), [{"x": 1}, *[config | {"epochs": i} for i in range(1, 6)]])
    assert len(lines) == 3
    assert lines[0] == (
        "the optimiser would try next: learning_rate=2e-4, lora_rank=16, epochs=1, scheduler=cosine, warmup_ratio=0.05"
    )


@settings(max_examples=40, deadline=None)
@given(space=spaces(), kinds=st.text("cfrwp", max_size=30), seed=st.integers(0, 99))
def test_the_digest_stays_short(space: Space, kinds: str, seed: int) -> None:
    """Any space and any history, in at most eight lines."""
    lines = digest_lines(space, history(space, kinds, seed), [space.default()] * 5)
    assert len(lines) <= 8
    assert all("\n" not in line for line in lines)
