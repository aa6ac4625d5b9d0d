"""Whether the proposers do what they are for."""

from random import Random

import pytest

from agent.request.draft import DraftSpec
from agent.request.plan import Plan
from agent.search.fresh import RandomSearch, far_config, neighbour
from agent.search.hybrid import Hybrid
from agent.search.llm.task_card import TaskCard, card_of_spec, task_card
from agent.search.portfolio import Portfolio, nearest_value
from agent.search.proposer import Proposer
from agent.search.shares import MAX_LLM_SHARE, llm_share
from agent.search.statistical import GP_MAX_TRIALS, OptunaSearch, Statistical, clipped, surrogate
from agent.study.nouns import History, Proposal, Trial
from tests.agent.search.spaces import TYPICAL, history, trial
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile, LengthProfile, SplitProfile
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space, unit
from trainers.spec import Adapter, Budget, Columns, Config, Data, Direction, Metric, Objective, Task, TaskSpec

CLASSIFY = TaskCard(task=Task.CLASSIFICATION, trials=40)


def surface(config: Config) -> float | None:
    """A score that peaks at learning rate 1e-3, rank 32 and six epochs; beyond 2e-3 the trial fails."""
    place = unit(TYPICAL.parameters["learning_rate"], config["learning_rate"])
    if float(config["learning_rate"]) > 2e-3:
        return None
    rank = unit(TYPICAL.parameters["lora_rank"], config["lora_rank"])
    return 0.9 - (place - 0.81) ** 2 - 0.1 * (rank - 0.75) ** 2 - 0.1 / float(config["epochs"])


def run(proposer: Proposer, n_trials: int, seed: int) -> list[Trial]:
    """A study of `n_trials`, the default first."""
    trials = [trial(0, TYPICAL.default(), surface(TYPICAL.default()), source="default")]
    while len(trials) < n_trials:
        past = History(direction=Direction.MAXIMIZE, trials=tuple(trials))
        (proposal,) = proposer.propose(past, 1, 1000 * seed + len(trials))
        done = trial(len(trials), proposal.config, surface(proposal.config), source=proposal.source)
        trials.append(done.model_copy(update={"proposal": proposal}))
    return trials


def best(trials: list[Trial]) -> float:
    """The best score."""
    return max(t.score for t in trials if t.score is not None)


def test_the_default_optimiser_beats_random_search() -> None:
    """Mean best score of 16 trials over three seeds."""
    optimised = [best(run(Statistical(TYPICAL), 16, seed)) for seed in range(3)]
    random = [best(run(RandomSearch(TYPICAL), 16, seed)) for seed in range(3)]
    assert sum(optimised) > sum(random) + 3 * 0.005


def test_failures_are_learned_from() -> None:
    """After the start the optimiser stays out of the region where trials fail, at most one in four."""
    trials = run(OptunaSearch(TYPICAL, "gp"), 20, 3)
    assert sum(t.score is None for t in trials[8:]) <= 4


def test_gp_proposals_come_with_predictions() -> None:
    """Predictions are in units of the score, for both directions."""
    up = run(OptunaSearch(TYPICAL, "gp"), 12, 1)
    down = [t.model_copy(update={"score": None if t.score is None else -t.score}) for t in up]
    for trials, direction, sign in ((up, Direction.MAXIMIZE, 1), (down, Direction.MINIMIZE, -1)):
        past = History(direction=direction, trials=tuple(trials))
        (proposal,) = OptunaSearch(TYPICAL, "gp").propose(past, 1, 5)
        assert proposal.predicted_mean is not None
        assert proposal.predicted_sd is not None
        assert sign * proposal.predicted_mean == pytest.approx(0.8, abs=0.4)
        assert proposal.predicted_sd >= 0


def test_long_histories_go_to_tpe() -> None:
    """Up to 40 trials the Gaussian process proposes, then TPE."""
    short, long = history(TYPICAL, "c" * GP_MAX_TRIALS), history(TYPICAL, "c" * (GP_MAX_TRIALS + 1))
    assert Statistical(TYPICAL).propose(short, 1, 0)[0].source == "gp"
    assert Statistical(TYPICAL).propose(long, 1, 0)[0].source == "tpe"


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_parallel_proposals_differ(sampler: str) -> None:
    """Four proposals of one call are spread, and pending trials are not proposed again nearby at once."""
    past = history(TYPICAL, "c" * 10, 2)
    proposals = OptunaSearch(TYPICAL, "tpe" if sampler == "tpe" else "gp").propose(past, 4, 3)
    assert len({TYPICAL.key(p.config) for p in proposals}) == 4


def test_the_surrogate_ranks_and_calibrates() -> None:
    """On a smooth surface its mean follows the truth and its doubt grows away from the data."""
    space = Space(parameters={"x": FloatParameter(low=0.0, high=1.0), "y": FloatParameter(low=0.0, high=1.0)})
    trials = [trial(i, {"x": i / 12, "y": 0.5}, 1 - (i / 12 - 0.4) ** 2) for i in range(9)]
    model = surrogate(space, History(direction=Direction.MAXIMIZE, trials=tuple(trials)))
    assert model is not None
    assert model.predict({"x": 0.4, "y": 0.5})[0] > model.predict({"x": 0.05, "y": 0.5})[0]
    assert model.predict({"x": 1.0, "y": 0.5})[1] > model.predict({"x": 0.4, "y": 0.5})[1]


def test_far_outliers_do_not_flatten_the_rest() -> None:
    """A diverged score is brought near, order is kept, equal scores stay."""
    assert clipped([-0.8, -0.7, -1e6]) == [-0.8, -0.7, pytest.approx(-1.1)]
    assert clipped([1.0, 1.0, 1.0]) == [1.0, 1.0, 1.0]


def test_the_spread_start_avoids_failures() -> None:
    """Far points are farther from what was tried than uniform ones are, on average."""
    tried = [TYPICAL.default()]
    rng = Random(0)
    far = [far_config(TYPICAL, set(), tried, rng) for _ in range(20)]
    places = [abs(unit(TYPICAL.parameters["learning_rate"], c["learning_rate"]) - 0.525) for c in far if c]
    assert sum(places) / len(places) > 0.25


def test_neighbours_are_near_members() -> None:
    """A small step changes at most two hyperparameters, and its condition's dependants."""
    rng = Random(1)
    for _ in range(50):
        moved = neighbour(TYPICAL, TYPICAL.default(), rng, 0.05)
        assert not TYPICAL.problems(moved)
        changed = [n for n in TYPICAL.parameters if moved.get(n) != TYPICAL.default().get(n)]
        assert len(changed) <= 3


def test_the_portfolio_respects_the_users_space() -> None:
    """Published values are moved into the user's ranges and lists; what is not searched is left out."""
    space = Space(
        parameters={
            "learning_rate": FloatParameter(low=1e-4, high=5e-4, log=True, default=2e-4),
            "lora_rank": CategoricalParameter(choices=(4, 8), default=8),
        }
    )
    configs = [p.config for p in Portfolio(space, TaskCard(task=Task.SFT)).propose(history(space, ""), 9, 0)]
    assert configs == [
        {"learning_rate": 3e-4, "lora_rank": 8},
        {"learning_rate": 5e-4, "lora_rank": 8},
        {"learning_rate": 1e-4, "lora_rank": 8},
    ]


def test_full_fine_tuning_gets_a_tenth_of_the_rate() -> None:
    """LoRA's learning rates do not carry over to training all weights."""
    space = Space(parameters={"learning_rate": FloatParameter(low=1e-6, high=1e-3, log=True, default=1e-5)})
    card = TaskCard(task=Task.SFT, adapter=Adapter.FULL)
    rates = [p.config["learning_rate"] for p in Portfolio(space, card).propose(history(space, ""), 9, 0)]
    assert rates == [3e-5, 1e-4, 1e-5]


def test_nearest_values() -> None:
    """Clipped, snapped, or nothing where nearness means nothing."""
    assert nearest_value(FloatParameter(low=1.0, high=2.0), 5.0) == 2.0
    assert nearest_value(FloatParameter(low=-2.0, high=-1.0), -5.0) == -2.0
    assert nearest_value(IntParameter(low=1, high=8, log=True), -3) == 1
    assert nearest_value(CategoricalParameter(choices=("a", 4, 16)), 12.0) == 16
    assert nearest_value(CategoricalParameter(choices=("a", "b")), 12.0) is None
    assert nearest_value(CategoricalParameter(choices=("a", "b")), "c") is None


def test_a_useless_llm_loses_its_share() -> None:
    """Three picks in the worse half, or failed, bring the share down; one good pick brings it back."""
    good = [trial(i, {"x": i}, 0.9, source="gp") for i in range(4)]
    bad = [trial(4 + i, {"x": 4 + i}, 0.1 if i else None, source="llm") for i in range(3)]
    assert llm_share(History(direction=Direction.MAXIMIZE, trials=(*good, *bad))) == pytest.approx(0.1)
    back = trial(7, {"x": 7}, 0.95, source="llm")
    assert llm_share(History(direction=Direction.MAXIMIZE, trials=(*good, *bad, back))) == MAX_LLM_SHARE


def test_a_small_budget_gets_a_small_portfolio() -> None:
    """With eight trials two settings are tried before the optimiser."""
    spec = TaskSpec(
        task=Task.CLASSIFICATION,
        base_model="m",
        data=Data(train="t.csv"),
        objective=Objective(metric=Metric.F1_MACRO, direction=Direction.MAXIMIZE),
        budget=Budget(trials=8),
    )
    sources = [t.proposal.source for t in run(Hybrid(TYPICAL, card_of_spec(spec)), 8, 0)]
    assert sources.count("portfolio") == 2
    assert card_of_spec(spec).trials == 8


def test_the_card_of_a_plan_holds_no_names() -> None:
    """Counts and enums of data, model and machine; no path, label or column; a draft has no card."""
    spec = TaskSpec(
        task=Task.CLASSIFICATION,
        base_model="secret-model",
        data=Data(train="secret.csv"),
        objective=Objective(metric=Metric.F1_MACRO, direction=Direction.MAXIMIZE),
        budget=Budget(trials=8),
    )
    lengths = LengthProfile(
        tokenizer="t", p50=9, p90=10, p99=12, p995=13, max=20, max_seq_length=16, truncated_share=0.0
    )
    splits = SplitProfile(
        train=4, validation=1, test=1, how="cut", train_sha256="", validation_sha256="", test_sha256=""
    )
    data = DataProfile(
        task=Task.CLASSIFICATION,
        sources=(),
        columns=Columns(text="secret"),
        labels=("secret", "b"),
        label_counts={"secret": 3, "b": 1},
        lengths=lengths,
        splits=splits,
    )
    base = BaseModelFacts(name="secret", path="/secret", parameters=22_000_000, hidden_size=384, origin="local")
    card = task_card(Plan(request="secret", spec=spec, provenance={}, base=base, data=data))
    assert (card.n_train_rows, card.n_classes, card.largest_class_share) == (4, 2, 0.75)
    assert (card.tokens_p99, card.max_seq_length, card.hidden_size) == (12, 16, 384)
    assert "secret" not in card.model_dump_json()
    with pytest.raises(ValueError, match="not ready"):
        task_card(Plan(request="", spec=DraftSpec(), provenance={}))


def test_a_resumed_study_proposes_as_an_uninterrupted_one() -> None:
    """A proposer built anew before every trial gives the same study."""

    class Fresh:
        name = "fresh"

        def propose(self, past: History, n: int, seed: int) -> list[Proposal]:
            return Hybrid(TYPICAL, CLASSIFY).propose(past, n, seed)

    kept = [t.config for t in run(Hybrid(TYPICAL, CLASSIFY), 10, 4)]
    assert [t.config for t in run(Fresh(), 10, 4)] == kept
