"""What every proposer promises, over random spaces and histories."""

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.llm.planner import Planner
from agent.search.fresh import RandomSearch, enumerated, known_keys
from agent.search.hybrid import Hybrid
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard
from agent.search.portfolio import Portfolio
from agent.search.proposer import Proposer
from agent.search.statistical import OptunaSearch, Statistical
from agent.study.nouns import History
from tests.agent.search.spaces import TYPICAL, history, spaces
from tests.fakes.scripted_chat import ScriptedChat
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space
from trainers.spec import Direction, Loss, Task

CARD = TaskCard(task=Task.CLASSIFICATION, trials=20)
GARBAGE = json.dumps(
    {"candidates": [{"why": "x", "p0": "1", "learning_rate": 9}, {"p0": None, "p1": [], "rm": "-rf /"}]}
)


def with_llm(space: Space) -> Proposer:
    """The hybrid with an LLM that answers garbage."""
    planner = Planner(ScriptedChat(GARBAGE), "fake", backoff_seconds=0.0)
    return Hybrid(space, CARD, LlmBatch(space, CARD, planner))


def hopeful(space: Space) -> LlmBatch:
    """An LLM that proposes the words of the grid's ends, whatever the conditions."""
    ends = [{n: p.at(f) for n, p in space.parameters.items() if n in space.free} for f in (0.0, 0.5, 1.0)]
    candidates = [{n: v for n, v in end.items() if n in space.active(space.default() | end)} for end in ends]
    reply = json.dumps({"candidates": [{"why": "end", **c} for c in candidates]})
    return LlmBatch(space, CARD, Planner(ScriptedChat(reply), "fake"))


PROPOSERS: dict[str, Callable[[Space], Proposer]] = {
    "random": RandomSearch,
    "tpe": lambda space: OptunaSearch(space, "tpe"),
    "gp": lambda space: OptunaSearch(space, "gp"),
    "statistical": Statistical,
    "portfolio": lambda space: Portfolio(space, CARD),
    "llm": hopeful,
    "hybrid": lambda space: Hybrid(space, CARD),
    "hybrid with llm": with_llm,
}
EVERY = pytest.mark.parametrize("make", PROPOSERS.values(), ids=PROPOSERS.keys())


def check(space: Space, make: Callable[[Space], Proposer], past: History, n: int, seed: int) -> int:
    """Members, canonical, new, at most n, the same for the same seed. Returns how many were offered."""
    proposals = make(space).propose(past, n, seed)
    keys = [space.key(p.config) for p in proposals]
    assert len(proposals) <= n
    assert all(p.config == space.canonical(p.config) for p in proposals)
    assert len(set(keys)) == len(keys)
    assert not set(keys) & known_keys(space, past)
    assert all(p.source for p in proposals)
    assert make(space).propose(past, n, seed) == proposals
    return len(proposals)


@EVERY
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(space=spaces(), kinds=st.text("cfrwp", max_size=7), n=st.integers(1, 3), seed=st.integers(0, 2**40))
def test_proposals_are_new_members_and_repeatable(
    make: Callable[[Space], Proposer], space: Space, kinds: str, n: int, seed: int
) -> None:
    """Any space, any mix of trial states, any seed."""
    check(space, make, history(space, kinds, seed % 97), n, seed)


@pytest.mark.parametrize("name", ["random", "tpe", "gp", "statistical", "hybrid", "hybrid with llm"])
@pytest.mark.parametrize("kinds", ["", "ffffff", "rrrwww", "cccccccc", "cfrcfrcfr", "pppp"])
@pytest.mark.parametrize("direction", list(Direction))
def test_a_roomy_space_never_runs_dry(name: str, kinds: str, direction: Direction) -> None:
    """All failed, all pending, or healthy: there is always a next trial."""
    assert check(TYPICAL, PROPOSERS[name], history(TYPICAL, kinds, 5, direction), 2, 11) == 2


@pytest.mark.parametrize("name", ["random", "tpe", "gp", "statistical", "hybrid", "hybrid with llm"])
def test_a_small_space_is_used_up_exactly_once(name: str) -> None:
    """Every configuration is proposed once, then the proposer has nothing to offer."""
    space = Space(parameters={"a": CategoricalParameter(choices=(1, 2, 3)), "b": IntParameter(low=1, high=2)})
    past, proposer = history(space, ""), PROPOSERS[name](space)
    for number in range(6):
        (proposal,) = proposer.propose(past, 1, number)
        score = float(number)
        done = (
            history(space, "c")
            .trials[0]
            .model_copy(update={"number": number, "proposal": proposal, "score": score, "trial_id": str(number)})
        )
        past = past.model_copy(update={"trials": (*past.trials, done)})
    assert len(known_keys(space, past)) == len(enumerated(space)) == 6
    assert proposer.propose(past, 1, 99) == []


@EVERY
def test_a_single_point_is_offered_once_at_most(make: Callable[[Space], Proposer]) -> None:
    """A space with nothing to choose has its one configuration; after that there is nothing."""
    space = Space(parameters={"learning_rate": FloatParameter(low=1e-3, high=1e-3)})
    assert check(space, make, history(space, ""), 3, 1) <= 1
    assert check(space, make, history(space, "c"), 3, 1) == 0


@pytest.mark.parametrize("loss", list(Loss))
def test_every_preference_loss_has_a_portfolio(loss: Loss) -> None:
    """Three different settings for each loss."""
    space = Space(
        parameters={
            "learning_rate": FloatParameter(low=5e-7, high=1e-4, log=True, default=2e-6),
            "beta": FloatParameter(low=0.005, high=20.0, log=True, default=1.0),
        }
    )
    card = TaskCard(task=Task.PREFERENCE, loss=loss)
    assert len(Portfolio(space, card).propose(history(space, ""), 5, 0)) == 3
