"""The proposer as a Ray Tune searcher. Skipped where ray is not installed."""

import math
import pickle
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs ray[tune]")

from ray import tune

from agent.search.for_optuna.ray_searcher import TunewrightSearcher, foreign_space
from agent.search.random_search import RandomSearch
from agent.study.nouns import TrialState

SPACE = {
    "lr": tune.loguniform(1e-5, 1e-1),
    "model": {"layers": tune.randint(1, 5), "act": tune.choice(["relu", None])},
    "seed": 3,
}


def searcher(**more: object) -> TunewrightSearcher:
    """One that knows metric, mode and space."""
    made = TunewrightSearcher(incontext=False, **more)
    assert made.set_search_properties("loss", "min", SPACE)
    return made


def run(made: TunewrightSearcher, n: int, start: int = 0) -> list[dict]:
    """`n` trials of a toy objective."""
    configs = []
    for i in range(start, start + n):
        config = made.suggest(f"t{i}")
        configs.append(config)
        made.on_trial_complete(f"t{i}", {"loss": (math.log10(config["lr"]) + 3) ** 2})
    return configs


def test_suggestions_are_nested_members_of_the_space():
    """Constants are left to Ray."""
    for config in run(searcher(), 4):
        assert set(config) == {"lr", "model"}
        assert 1e-5 <= config["lr"] <= 1e-1
        assert config["model"]["layers"] in (1, 2, 3, 4)
        assert config["model"]["act"] in ("relu", None)


def test_every_domain_with_bounds_is_translated():
    """Upper bounds of whole numbers are excluded unless they are quantised, as in Ray."""
    found = foreign_space(
        {
            "quniform": tune.quniform(0.25, 1.0, 0.25),
            "qloguniform": tune.qloguniform(1e-3, 1.0, 1e-3),
            "qrandint": tune.qrandint(3, 12, 4),
            "qlograndint": tune.qlograndint(8, 512, 8),
            "lograndint": tune.lograndint(1, 100),
            "uniform": tune.uniform(-1, 1),
        }
    )
    middle = found.outward(found.space.default())
    assert found.dimensions["quniform"].values == (0.25, 0.5, 0.75, 1.0)
    assert found.dimensions["qrandint"].values == (4, 8, 12)
    assert found.dimensions["qlograndint"].values[-1] == 512
    assert found.dimensions["lograndint"].parameter.high == 99
    assert middle["qloguniform"] * 1000 == pytest.approx(round(middle["qloguniform"] * 1000))


@pytest.mark.parametrize("bad", [tune.randn(0, 1), tune.grid_search([1, 2]), tune.sample_from(lambda spec: 1)])
def test_what_has_no_bounds_is_refused(bad: object):
    """With a message, before any trial."""
    with pytest.raises(ValueError, match=r"bounds|grid_search"):
        foreign_space({"x": bad})


def test_failures_nan_and_shorter_runs_have_no_score():
    """A scheduler's stop is no failure, and what was reached by then does not compare."""
    made = searcher(proposer=RandomSearch)
    for i in range(5):
        made.suggest(f"t{i}")
    made.on_trial_complete("t0", error=True)
    made.on_trial_complete("t1", {"loss": float("nan"), "training_iteration": 1})
    made.on_trial_complete("t2", {"loss": 0.5, "training_iteration": 1})
    made.on_trial_complete("t3", {"loss": 0.6, "training_iteration": 4})
    made.on_trial_complete("unknown", {"loss": 0.5})
    assert [t.state for t in made._ready()[1].trials] == [
        TrialState.FAILED,
        TrialState.FAILED,
        TrialState.PRUNED,
        TrialState.COMPLETE,
        TrialState.RUNNING,
    ]


def test_runs_of_unlike_length_compare_where_that_is_asked_for():
    """For trainables that end early on their own."""
    made = searcher(proposer=RandomSearch, same_length=False)
    for i in range(2):
        made.suggest(f"t{i}")
        made.on_trial_complete(f"t{i}", {"loss": 0.5, "training_iteration": i + 1})
    assert len(made._ready()[1].complete) == 2


def test_a_restored_search_goes_on_as_the_uninterrupted_one(tmp_path: Path):
    """Also one that was pickled, as Ray does with its Tuner."""
    whole = run(searcher(seed=5), 5)
    first = searcher(seed=5)
    run(first, 3)
    first.save(str(tmp_path / "state"))
    second = searcher()
    second.restore(str(tmp_path / "state"))
    assert run(second, 2, start=3) == whole[3:] == run(pickle.loads(pickle.dumps(first)), 2, start=3)


def test_points_evaluated_elsewhere_count():
    """Those outside of the space do not."""
    made = searcher(proposer=RandomSearch)
    made.add_evaluated_point({"lr": 1e-3, "model": {"layers": 2, "act": None}}, 0.25)
    made.add_evaluated_point({"lr": 7.0, "model": {"layers": 2, "act": None}}, 0.1)
    assert [t.score for t in made._ready()[1].trials] == [0.25]


def test_an_exhausted_space_ends_the_search():
    """Ray is told that nothing is left."""
    made = TunewrightSearcher({"a": tune.choice([1, 2])}, metric="loss", mode="min", incontext=False)
    assert [made.suggest(f"t{i}") for i in range(3)][2] == "FINISHED"


def test_several_metrics_are_refused():
    """With a message that says what is supported."""
    with pytest.raises(ValueError, match="one metric"):
        TunewrightSearcher(metric=["a", "b"], mode=["min", "max"])


@pytest.mark.slow
def test_a_tuner_runs_with_it_and_under_a_scheduler(tmp_path: Path):
    """Six trials of a toy objective in real Ray; what ASHA stopped counts as pruned."""
    import ray

    def objective(config: dict) -> None:
        for step in range(1, 5):
            tune.report({"loss": (math.log10(config["lr"]) + 3) ** 2 + 1 / step})

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        made = TunewrightSearcher(incontext=False, seed=1)
        tuner = tune.Tuner(
            objective,
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                search_alg=made,
                metric="loss",
                mode="min",
                num_samples=6,
                scheduler=tune.schedulers.ASHAScheduler(grace_period=1, max_t=4, reduction_factor=2),
                max_concurrent_trials=1,
            ),
            run_config=tune.RunConfig(name="toy", storage_path=str(tmp_path), verbose=0),
        )
        results = tuner.fit()
        seen = searcher()
        seen.restore_from_dir(str(tmp_path / "toy"))
    finally:
        ray.shutdown()
    states = [t.state for t in seen._ready()[1].trials]
    assert len(results) == len(states) == 6
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert results.get_best_result().config["seed"] == 3
