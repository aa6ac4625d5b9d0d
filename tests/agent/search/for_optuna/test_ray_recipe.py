"""The recipe of docs/optuna_and_ray.md: Ray's own OptunaSearch with our sampler. Skipped where ray is not installed."""

import math
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs ray[tune]")

from ray import tune
from ray.tune.search.optuna import OptunaSearch

from agent import TunewrightSampler
from agent.search.for_optuna.history import PROPOSAL_KEY

SPACE = {
    "lr": tune.loguniform(1e-5, 1e-1),
    "model": {"layers": tune.randint(1, 5), "act": tune.choice(["relu", None])},
    "seed": 3,
}


def searcher(**more: object) -> OptunaSearch:
    """One that knows metric, mode and space, as a Tuner makes it."""
    made = OptunaSearch(sampler=TunewrightSampler(seed=1, incontext=False), **more)
    assert made.set_search_properties("loss", "min", SPACE)
    return made


def run(made: OptunaSearch, n: int, start: int = 0) -> list[dict]:
    """`n` trials of a toy objective."""
    configs = []
    for i in range(start, start + n):
        config = made.suggest(f"t{i}")
        configs.append(config)
        made.on_trial_complete(f"t{i}", {"loss": (math.log10(config["lr"]) + 3) ** 2})
    return configs


def test_suggestions_are_nested_members_of_the_space_and_ours():
    """The first is Optuna's; from then on every trial carries our proposal."""
    made = searcher()
    for config in run(made, 4):
        assert 1e-5 <= config["lr"] <= 1e-1
        assert config["model"]["layers"] in (1, 2, 3, 4)
        assert config["model"]["act"] in ("relu", None)
    proposed = [PROPOSAL_KEY in trial.system_attrs for trial in made._ot_study.trials]
    assert proposed == [False, True, True, True]


def test_a_restored_search_goes_on_as_the_uninterrupted_one(tmp_path: Path):
    """The searcher's file holds the study and the sampler."""
    whole = run(searcher(), 5)
    first = searcher()
    run(first, 3)
    first.save(str(tmp_path / "state"))
    second = searcher()
    second.restore(str(tmp_path / "state"))
    assert run(second, 2, start=3) == whole[3:]


def test_trials_that_raise_teach_where_not_to_look():
    """They reach the sampler as failed."""
    made = searcher()
    run(made, 2)
    made.suggest("t2")
    made.on_trial_complete("t2", error=True)
    assert made._ot_study.trials[2].state.name == "FAIL"
    run(made, 1, start=3)


@pytest.mark.slow
def test_a_tuner_runs_with_it(tmp_path: Path):
    """Six trials of a toy objective in real Ray."""
    import ray

    def objective(config: dict) -> None:
        for step in range(1, 5):
            tune.report({"loss": (math.log10(config["lr"]) + 3) ** 2 + 1 / step})

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        tuner = tune.Tuner(
            objective,
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(sampler=TunewrightSampler(seed=1, incontext=False)),
                metric="loss",
                mode="min",
                num_samples=6,
                max_concurrent_trials=1,
            ),
            run_config=tune.RunConfig(name="toy", storage_path=str(tmp_path), verbose=0),
        )
        results = tuner.fit()
    finally:
        ray.shutdown()
    assert len(results) == 6
    assert results.get_best_result().config["seed"] == 3
