"""The proposer as an Optuna sampler: Optuna's own cases, and what a study in plain Optuna gets of it."""

import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from statistics import fmean

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing import pytest_samplers as cases

from agent.search.for_optuna.foreign_space import foreign_space
from agent.search.for_optuna.history import MAX_TRIALS, PROPOSAL_KEY, history_of
from agent.search.for_optuna.sampler import TunewrightSampler
from agent.search.fresh import RandomSearch
from agent.study.nouns import TrialState
from trainers.spec import Direction

optuna.logging.set_verbosity(optuna.logging.WARNING)


def hybrid(seed: int = 1, **more: object) -> TunewrightSampler:
    """The hybrid without the in-context model, which costs more than a test should take."""
    return TunewrightSampler(seed=seed, incontext=False, **more)


class TestOptunasBasicCases(cases.BasicSamplerTestCase):
    """Values of every distribution, NaN, dynamic and conditional spaces: with a cheap proposer, as there are many."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TunewrightSampler(seed=1, proposer=RandomSearch)


class TestOptunasRelativeCases(cases.RelativeSamplerTestCase):
    """Pairs of distributions of all kinds, sampled together."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TunewrightSampler(seed=1, proposer=RandomSearch)


class TestOptunasMultiObjectiveCases(cases.MultiObjectiveSamplerTestCase):
    """Several objectives are supported."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return hybrid


@pytest.mark.slow
class TestOptunasBasicCasesWithTheHybrid(cases.BasicSamplerTestCase):
    """The same cases with what users get."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return hybrid


@pytest.mark.slow
class TestOptunasRelativeCasesWithTheHybrid(cases.RelativeSamplerTestCase):
    """The same cases with what users get."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return hybrid


def fine_tuning(trial: optuna.Trial) -> float:
    """A score that is best at a learning rate of 1e-3 and rank 16."""
    rate = trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
    rank = trial.suggest_int("lora_rank", 4, 64, step=4)
    scheduler = trial.suggest_categorical("scheduler", ["linear", "cosine", None])
    return -((math.log10(rate) + 3) ** 2) - ((rank - 16) / 40) ** 2 - 0.1 * (scheduler is None)


def test_a_plain_optuna_study_finds_what_random_search_does_not():
    """The best of nine trials, on average over three studies, is better than that of 15 of 20 random ones."""

    def best(sampler: BaseSampler) -> float:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(fine_tuning, n_trials=9)
        return study.best_value

    random = sorted(best(optuna.samplers.RandomSampler(seed=seed)) for seed in range(20))
    assert fmean(best(hybrid(seed)) for seed in range(3)) > random[14]


def test_the_same_seed_gives_the_same_study():
    """Also where the sampler was pickled in between."""

    def configs(sampler: BaseSampler) -> list[dict[str, object]]:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(fine_tuning, n_trials=3)
        study.sampler = pickle.loads(pickle.dumps(sampler))
        study.optimize(fine_tuning, n_trials=2)
        return [t.params for t in study.trials]

    assert configs(hybrid(3)) == configs(hybrid(3)) != configs(hybrid(4))


def test_reseeding_changes_what_comes():
    """Optuna reseeds the samplers of parallel workers."""
    sampler = hybrid(3)
    before = pickle.loads(pickle.dumps(sampler))
    sampler.reseed_rng()
    space = {"x": optuna.distributions.FloatDistribution(0, 1), "y": optuna.distributions.FloatDistribution(0, 1)}
    study = optuna.create_study()
    study.tell(study.ask(space), 1.0)
    frozen = study.ask()._get_latest_trial()
    assert sampler.sample_relative(study, frozen, space) != before.sample_relative(study, frozen, space)


def test_trials_tell_where_they_came_from():
    """The proposal is kept with its trial; the first ones are sampled independently."""
    study = optuna.create_study(sampler=hybrid())
    study.optimize(lambda t: t.suggest_float("x", -1, 1) ** 2 + t.suggest_float("y", -1, 1), n_trials=3)
    assert PROPOSAL_KEY not in study.trials[0].system_attrs
    assert study.trials[2].system_attrs[PROPOSAL_KEY]["source"]


def test_the_log_level_of_optuna_stays():
    """Whoever wants to see finished trials goes on seeing them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # other tests may have run a proposer alone
    study = optuna.create_study(sampler=hybrid())
    study.optimize(lambda t: t.suggest_float("x", -1, 1) ** 2, n_trials=9)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def test_choices_of_any_type_come_back_as_they_were():
    """None, booleans, tuples, NaN; equal values of unlike types are one value to Optuna."""
    choices = [None, True, "1", (1, 2), 2.5, float("nan")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna does not like tuples in storages
        study = optuna.create_study(sampler=TunewrightSampler(seed=1, proposer=RandomSearch))
        study.optimize(lambda t: float(choices.index(t.suggest_categorical("c", choices))), n_trials=12)
    assert len({repr(t.params["c"]) for t in study.trials}) == len(choices)


def test_values_far_from_zero_are_told_apart():
    """A space of ours knows three digits; a range from 1000 to 1001 has more."""
    study = optuna.create_study(sampler=TunewrightSampler(seed=1, proposer=RandomSearch))
    study.optimize(lambda t: t.suggest_float("x", 1000.0, 1001.0), n_trials=8)
    assert len({t.params["x"] for t in study.trials}) == 8


def test_small_spaces_are_tried_without_repeats_and_then_go_on():
    """Four configurations, seven trials."""
    study = optuna.create_study(sampler=hybrid())
    study.optimize(lambda t: t.suggest_int("a", 0, 1) + t.suggest_categorical("b", [0, 1]), n_trials=7)
    assert len({tuple(t.params.values()) for t in study.trials[:4]}) == 4
    assert len(study.trials) == 7


def test_parallel_trials_differ():
    """Threads know of each other's proposals before they are suggested."""
    study = optuna.create_study(sampler=hybrid())
    space = {"a": optuna.distributions.IntDistribution(0, 2), "b": optuna.distributions.IntDistribution(0, 2)}
    study.tell(study.ask(space), 0.0)
    frozen = [study._storage.get_trial(study._storage.create_new_trial(study._study_id)) for _ in range(5)]
    proposed = [tuple(study.sampler.sample_relative(study, trial, space).values()) for trial in frozen]
    assert len(set(proposed)) == 5
    study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_float("y", 0, 1), n_trials=6, n_jobs=3)


def test_failed_infeasible_and_infinite_trials_count_as_failures():
    """Optuna's own samplers leave failed trials out; here they teach where not to look."""
    study = optuna.create_study(sampler=hybrid())

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            raise ValueError("out of memory")
        if trial.number == 2:
            trial.set_constraint("memory", 2.0)
        if trial.number == 4:
            raise optuna.TrialPruned
        return {3: math.inf, 5: -math.inf, 6: math.nan}.get(trial.number, x)

    study.optimize(objective, n_trials=8, catch=(ValueError,))
    space = foreign_space({"x": optuna.distributions.FloatDistribution(0, 1)})
    seen = history_of(space, study.trials, study.directions, 0)
    assert [t.number for t in seen.failed] == [1, 2, 3, 6]
    assert [t.number for t in seen.trials if t.state is TrialState.PRUNED] == [4]
    assert [t.number for t in seen.complete] == [0, 5, 7]
    assert seen.direction is Direction.MINIMIZE
    assert seen.best is not None
    assert seen.best.number == 5


def test_running_trials_are_pending_and_enqueued_ones_unknown():
    """A waiting trial has no parameters yet."""
    study = optuna.create_study(sampler=hybrid())
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    study.ask(space)
    study.enqueue_trial({"x": 0.5})
    seen = history_of(foreign_space(space), study.trials, study.directions, 0)
    assert [t.state for t in seen.trials] == [TrialState.RUNNING]


def test_long_histories_keep_the_best_and_the_latest():
    """The cost of a proposal is bounded."""
    distribution = {"x": optuna.distributions.FloatDistribution(0, 1)}
    study = optuna.create_study(direction="maximize")
    n = 3 * MAX_TRIALS
    study.add_trials(
        [optuna.create_trial(params={"x": i / n}, distributions=distribution, value=-abs(i - 50.0)) for i in range(n)]
    )
    seen = history_of(foreign_space(distribution), study.trials, study.directions, 0)
    assert len(seen.trials) == MAX_TRIALS
    assert {50, n - 1} <= {t.number for t in seen.trials}


def test_two_objectives_are_searched_along_their_front():
    """Weights change from trial to trial, so that scores of one trial do too."""
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=hybrid())
    study.optimize(lambda t: ((x := t.suggest_float("x", -1, 1)) ** 2, -((x - 1) ** 2)), n_trials=10)
    space = foreign_space({"x": optuna.distributions.FloatDistribution(-1, 1)})
    best = {history_of(space, study.trials, study.directions, seed).best.number for seed in range(20)}
    assert len(best) > 1
    assert len(study.best_trials) >= 3


def test_an_llm_needs_to_know_the_task():
    """Without it there is nothing to brief it with."""
    with pytest.raises(ValueError, match="task"):
        TunewrightSampler(llm="openai:gpt-4.1")


def test_published_settings_come_first_where_the_task_is_known():
    """Hyperparameters under their canonical names get them."""
    study = optuna.create_study(direction="maximize", sampler=hybrid(task="sft"))
    study.optimize(fine_tuning, n_trials=3)
    assert study.trials[1].system_attrs[PROPOSAL_KEY]["source"] == "portfolio"


def test_the_old_place_of_the_sampler_goes_on_for_one_release():
    """With a warning that says what to write; and nothing of Optuna is loaded before it is asked for."""
    code = (
        "import sys, warnings, agent\n"
        "assert 'optuna' not in sys.modules\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always', DeprecationWarning)\n"
        "    from agent.optuna_sampler import TunewrightSampler as old\n"
        "from agent import TunewrightSampler\n"
        "assert old is TunewrightSampler\n"
        "print([str(w.message) for w in caught if 'agent.optuna_sampler' in str(w.message)][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "from agent import TunewrightSampler" in done.stdout


def test_every_distribution_of_optuna_is_translated():
    """Steps that fit a list are listed, others are put on the grid."""
    space = foreign_space(
        {
            "stepped": optuna.distributions.FloatDistribution(0.25, 1.0, step=0.25),
            "fine": optuna.distributions.FloatDistribution(0.0, 1.0, step=0.001),
            "whole": optuna.distributions.IntDistribution(4, 12, step=4),
            "many": optuna.distributions.IntDistribution(8, 512, log=True),
            "far": optuna.distributions.FloatDistribution(1000.0, 1001.0),
        }
    )
    middle = space.outward(space.space.default())
    assert space.dimensions["stepped"].values == (0.25, 0.5, 0.75, 1.0)
    assert space.dimensions["whole"].values == (4, 8, 12)
    assert space.dimensions["many"].parameter.high == 512
    assert middle["fine"] * 1000 == pytest.approx(round(middle["fine"] * 1000))
    assert 1000.0 <= middle["far"] <= 1001.0
    assert space.inward(middle) == space.space.default()
    assert [type(middle[name]) for name in ("stepped", "whole", "many", "far")] == [float, int, int, float]


def test_ranges_without_bounds_are_refused():
    """With a message, before any trial."""
    with pytest.raises(ValueError, match="bounds"):
        foreign_space({"x": optuna.distributions.FloatDistribution(-1e200, 1e200)})
