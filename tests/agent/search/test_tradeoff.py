"""Proposers that weigh costs against quality: the blend, the weights, and the contract of every proposer."""

import math
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.search.fresh import RandomSearch, known_keys
from agent.search.hybrid import Hybrid
from agent.search.llm.task_card import TaskCard, card_of_spec
from agent.search.proposer import Proposer
from agent.search.space_edits import SpaceEdit
from agent.search.statistical import OptunaSearch
from agent.search.tradeoff import MIN_QUALITY_WEIGHT, TradeOff, blended, draw_weights, trading_off
from agent.study.nouns import Costs, History, Proposal, TrialState
from tests.agent.search.spaces import TYPICAL, history, spaces, trial
from trainers.space import FloatParameter, IntParameter, Space
from trainers.spec import Budget, Data, Direction, Metric, Objective, Task, TaskSpec, Tradeoff

EVERY_COST = tuple(Tradeoff)
TIME = (Tradeoff.TRAIN_SECONDS,)


def priced(past: History, seed: int = 0) -> History:
    """`past` with made-up costs on its complete trials."""
    rng = Random(seed)
    trials = [
        t.model_copy(update={"costs": costs(rng.uniform(1, 100), rng.uniform(500, 900), rng.uniform(0.1, 9))})
        if t.state is TrialState.COMPLETE
        else t
        for t in past.trials
    ]
    return past.model_copy(update={"trials": tuple(trials)})


def costs(seconds: float, memory: float = 800.0, adapter: float = 1.0) -> Costs:
    """Costs of a trial."""
    return Costs(train_seconds=seconds, peak_memory_mb=memory, adapter_mb=adapter)


def scored(*pairs: tuple[float, float | None], direction: Direction = Direction.MAXIMIZE) -> History:
    """A history of (score, train seconds) pairs; None: the trial has no costs."""
    trials = [
        trial(i, {"p": i}, score).model_copy(update={"costs": None if seconds is None else costs(seconds)})
        for i, (score, seconds) in enumerate(pairs)
    ]
    return History(direction=direction, trials=tuple(trials))


def blends(past: History, quality: float) -> list[float]:
    """Blended scores under a weight of quality, the rest on train seconds."""
    return [t.score or 0.0 for t in blended(past, TIME, (quality, 1.0 - quality)).complete]


class Remembers:
    """Proposes at random, keeps what it was shown, and makes a prediction."""

    name = "remembers"

    def __init__(self, space: Space) -> None:
        self.inner, self.seen, self.ahead, self.closed = RandomSearch(space), list[History](), list[History](), False

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        self.seen.append(history)
        predicted = {"predicted_mean": 0.5, "predicted_sd": 0.1, "why": "looks good"}
        return [p.model_copy(update=predicted) for p in self.inner.propose(history, n, seed)]

    def prefetch(self, history: History) -> None:
        self.ahead.append(history)

    def space_edits(self) -> list[SpaceEdit]:
        return [SpaceEdit(parameter="learning_rate", high=1.0)]

    def close(self) -> None:
        self.closed = True


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    space=spaces(),
    kinds=st.text("cfrwp", max_size=7),
    n=st.integers(1, 3),
    seed=st.integers(0, 2**40),
    tpe=st.booleans(),
)
def test_the_contract_of_proposers_holds(space: Space, kinds: str, n: int, seed: int, tpe: bool) -> None:
    """Valid, canonical, new, at most `n`, and the same again for the same seed."""
    past = priced(history(space, kinds, seed % 97), seed)

    def make() -> Proposer:
        return TradeOff(OptunaSearch(space, "tpe") if tpe else RandomSearch(space), EVERY_COST)

    proposals = make().propose(past, n, seed)
    keys = [space.key(p.config) for p in proposals]
    assert len(proposals) <= n
    assert all(p.config == space.canonical(p.config) for p in proposals)
    assert len(set(keys)) == len(keys)
    assert not set(keys) & known_keys(space, past)
    assert make().propose(past, n, seed) == proposals


@pytest.mark.parametrize("kinds", ["", "ffffff", "rrrwww", "cccccccc", "cfrcfrcfr", "pppp"])
@pytest.mark.parametrize("direction", list(Direction))
def test_a_roomy_space_never_runs_dry(kinds: str, direction: Direction) -> None:
    """The hybrid of a study, wrapped: there is always a next trial, from one of its own sources."""
    hybrid = Hybrid(TYPICAL, TaskCard(task=Task.CLASSIFICATION, trials=20))
    found = TradeOff(hybrid, EVERY_COST).propose(priced(history(TYPICAL, kinds, 5, direction)), 2, 11)
    assert len(found) == 2
    assert all(p.source in ("portfolio", "gp", "tpe", "random") for p in found)


def test_without_costs_nothing_is_wrapped() -> None:
    """An objective without trade-offs leaves the proposer as it is."""
    inner = RandomSearch(TYPICAL)
    plain = Objective(metric=Metric.ACCURACY, direction=Direction.MAXIMIZE)
    assert trading_off(inner, plain) is inner
    assert isinstance(trading_off(inner, plain.model_copy(update={"tradeoffs": TIME})), TradeOff)


@given(st.integers(1, 3), st.integers(0, 10**6))
def test_weights_sum_to_one_and_quality_keeps_its_part(n_costs: int, seed: int) -> None:
    """On the simplex, none negative, quality at least a third."""
    weights = draw_weights(n_costs, Random(seed))
    assert len(weights) == 1 + n_costs
    assert sum(weights) == pytest.approx(1.0)
    assert min(weights) >= 0.0
    assert weights[0] >= MIN_QUALITY_WEIGHT


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.one_of(st.none(), st.floats(0, 1e5))), min_size=1, max_size=8),
    st.floats(1 / 3, 1),
    st.sampled_from(list(Direction)),
)
def test_a_blend_is_in_range_and_keeps_dominance(
    pairs: list[tuple[float, float | None]], quality: float, direction: Direction
) -> None:
    """0 to 1, to be maximised; whatever is no worse in quality and cost is no worse in the blend."""
    past = scored(*pairs, direction=direction)
    found = blends(past, quality)
    sign = 1 if direction is Direction.MAXIMIZE else -1
    assert all(0.0 <= b <= 1.0 + 1e-12 for b in found)
    assert blended(past, TIME, (quality, 1 - quality)).direction is Direction.MAXIMIZE
    for (score, seconds), blend in zip(pairs, found, strict=True):
        for (other, longer), worse in zip(pairs, found, strict=True):
            if seconds is not None and longer is not None and sign * score >= sign * other and seconds <= longer:
                assert blend >= worse - 1e-12


def test_weights_decide_which_compromise_is_best() -> None:
    """With all the weight on quality the best score leads; with most on cost the cheap one; in between the middle."""
    past = scored((0.9, 100.0), (0.8, 20.0), (0.3, 5.0))
    for quality, leader in ((1.0, 0), (0.55, 1), (0.1, 2)):
        found = blends(past, quality)
        assert found.index(max(found)) == leader


def test_a_small_difference_of_cost_weighs_little() -> None:
    """Seconds that differ by a few per cent are not stretched over the whole scale."""
    better, cheaper = blends(scored((0.9, 10.3), (0.7, 10.0)), 0.5)
    assert better > cheaper


def test_a_diverged_trial_does_not_hide_the_others() -> None:
    """One perplexity of a million leaves the rest apart."""
    past = scored((10.0, 5.0), (12.0, 5.0), (15.0, 5.0), (1e6, 5.0), direction=Direction.MINIMIZE)
    found = blends(past, 1.0)
    assert found[0] > found[1] + 0.1 > found[2] + 0.2


def test_trials_without_costs_are_middling() -> None:
    """Scores from elsewhere take part by their quality."""
    cheap, unknown, dear = blends(scored((0.5, 1.0), (0.5, None), (0.5, 100.0)), 0.4)
    assert cheap > unknown > dear
    assert blends(scored((0.5, None), (0.9, None)), 0.5)[1] == pytest.approx(1.0)


def test_only_scores_of_complete_trials_change() -> None:
    """Failed, pruned and pending trials are shown as they are."""
    past = priced(history(TYPICAL, "cfrwpc"))
    seen = blended(past, EVERY_COST, (0.4, 0.2, 0.2, 0.2))
    for before, after in zip(past.trials, seen.trials, strict=True):
        if before.state is TrialState.COMPLETE:
            assert after == before.model_copy(update={"score": after.score})
        else:
            assert after == before


def test_each_proposal_has_its_weights_and_no_prediction() -> None:
    """A batch is blended anew each time, earlier proposals pending; predictions of the blend are not passed on."""
    inner = Remembers(TYPICAL)
    past = priced(history(TYPICAL, "cccc"))
    found = TradeOff(inner, TIME).propose(past, 3, 7)
    assert [len(seen.pending) for seen in inner.seen] == [0, 1, 2]
    assert len({tuple(t.score for t in seen.complete) for seen in inner.seen}) == 3
    assert len({p.why for p in found}) == 3
    assert all("looks good (weights: quality 0." in p.why and "train_seconds 0." in p.why for p in found)
    assert all(p.predicted_mean is None and p.predicted_sd is None for p in found)


def test_what_the_inner_proposer_can_do_besides_is_kept() -> None:
    """Working ahead (on blended scores), edits of the space and closing reach it; one that can none of it is fine."""
    inner = Remembers(TYPICAL)
    wrapped = TradeOff(inner, EVERY_COST)
    wrapped.prefetch(priced(history(TYPICAL, "cc", direction=Direction.MINIMIZE)))
    wrapped.close()
    assert inner.ahead[0].direction is Direction.MAXIMIZE
    assert wrapped.space_edits() == inner.space_edits()
    assert inner.closed
    plain = TradeOff(RandomSearch(TYPICAL), TIME)
    plain.prefetch(history(TYPICAL, "c"))
    plain.close()
    assert plain.space_edits() == ()


def test_the_planner_is_told_what_the_score_is() -> None:
    """The card of a study that weighs costs names the blend and not the metric, which the scores are not."""
    spec = TaskSpec(
        task=Task.SFT,
        base_model="m",
        data=Data(train="d"),
        objective=Objective(metric=Metric.EVAL_LOSS, direction=Direction.MINIMIZE, tradeoffs=TIME),
        budget=Budget(trials=4),
    )
    card = card_of_spec(spec)
    assert (card.metric, card.direction) == (None, Direction.MAXIMIZE)
    assert "eval_loss" in (card.score or "")
    assert "train_seconds" in (card.score or "")


def test_the_front_is_found_better_than_by_quality_alone() -> None:
    """Quality grows with a costly parameter: the wrapped optimiser covers more of the front (hypervolume)."""
    space = Space(
        parameters={
            "learning_rate": FloatParameter(low=1e-5, high=1e-1, log=True, default=1e-4),
            "epochs": IntParameter(low=1, high=16, log=True, default=4),
        }
    )

    def covered(make: Proposer, seed: int) -> float:
        past = History(direction=Direction.MAXIMIZE, trials=())
        for number in range(24):
            (proposal,) = make.propose(past, 1, seed + number)
            rate, epochs = float(proposal.config["learning_rate"]), float(proposal.config["epochs"])
            quality = 0.9 * (1 - 0.5 / epochs) - 0.05 * abs(math.log10(rate) + 3) ** 1.5
            done = trial(number, proposal.config, quality, source=proposal.source)
            done = done.model_copy(update={"costs": costs(seconds=10 * epochs)})
            past = past.model_copy(update={"trials": (*past.trials, done)})
        return hypervolume([(t.score or 0.0, float(t.config["epochs"])) for t in past.complete])

    gains = [
        covered(TradeOff(OptunaSearch(space, "tpe"), TIME), seed) - covered(OptunaSearch(space, "tpe"), seed)
        for seed in (0, 100, 200, 300)
    ]
    assert sum(gains) > 0.0


def hypervolume(points: list[tuple[float, float]]) -> float:
    """Area that (quality, epochs) points dominate over quality 0 and 16 epochs, epochs by logarithm."""
    area, best = 0.0, 0.0
    edges = sorted({epochs for _, epochs in points})
    for epochs, following in zip(edges, [*edges[1:], 16.0], strict=True):
        best = max([best, *(q for q, e in points if e <= epochs)])
        area += best * (math.log10(following) - math.log10(epochs))
    return area
