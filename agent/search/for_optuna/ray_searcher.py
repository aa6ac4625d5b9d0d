"""The proposer as a Ray Tune searcher: `tune.TuneConfig(search_alg=TunewrightSearcher())`. Needs `ray[tune]`."""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.result import TRAINING_ITERATION
from ray.tune.search import UNDEFINED_METRIC_MODE, UNDEFINED_SEARCH_SPACE, Searcher
from ray.tune.search.sample import Categorical, Domain, Float, Integer, LogUniform, Quantized, Uniform
from ray.tune.search.variant_generator import parse_spec_vars
from ray.tune.utils.util import flatten_dict, unflatten_dict

from agent.search.for_optuna.choice import ProposerChoice
from agent.search.for_optuna.foreign_space import LARGEST, Dimension, ForeignSpace, listed, real, whole
from agent.search.llm.task_card import TaskCard
from agent.search.proposer import Proposer
from agent.study.nouns import History, Phase, Proposal, Trial, TrialState, derived_seed
from trainers.space import Space
from trainers.spec import Direction, FailureReason, Task, TaskSpec


class TunewrightSearcher(Searcher):  # type: ignore[misc]
    """Searches uniform, loguniform, randint, lograndint, their quantised forms and choice, nested or not.

    Metric, mode and space come from the Tuner, or from the constructor where the Tuner has none. Trials that raise or
    report NaN teach it where not to look. Trials that ended after fewer `training_iteration`s than the longest, as most
    do under a scheduler such as ASHA, count as pruned: their last value does not compare with that of a whole run. Say
    `same_length=False` for a trainable that ends early on its own and is to be judged by its last value.

    Give `num_samples` to the Tuner, and `max_concurrent_trials` if there are many cores: a searcher learns from
    finished trials. Where every configuration was tried it ends the search.

    `seed` makes a run with one trial at a time repeatable; `proposer`, `llm`, `task` and `incontext` choose the parts:
    see `ProposerChoice`. Its state is saved as JSON. Raises ValueError for several metrics and for spaces with
    `grid_search`, `randn` or `sample_from`.
    """

    _metric: str | None
    _mode: str | None

    def __init__(
        self,
        space: dict[str, Any] | None = None,
        *,
        metric: str | None = None,
        mode: str | None = None,
        seed: int = 0,
        llm: str | None = None,
        task: TaskCard | TaskSpec | Task | str | None = None,
        incontext: bool = True,
        proposer: Callable[[Space], Proposer] | None = None,
        same_length: bool = True,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._choice, self._seed = ProposerChoice(proposer, llm, task, incontext), seed
        self._space = foreign_space(space) if space else None
        self._trials: dict[str, Trial] = {}
        self._iterations: dict[str, int] = {}
        self._same_length = same_length
        self._proposer: Proposer | None = None
        self._check_mode()

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """See `Searcher.set_search_properties`. False where the space was set before."""
        if self._space is not None and config:
            return False
        self._space = self._space or foreign_space(config)
        self._metric, self._mode = metric or self._metric, mode or self._mode
        self._check_mode()
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """See `Searcher.suggest`: the parameters of the space, nested as given; constants are Ray's to add."""
        space, history = self._ready()
        if self._proposer is None:
            self._proposer = self._choice.build(space.space, history.direction)
        offered = self._proposer.propose(history, 1, derived_seed(self._seed, "ray", len(self._trials)))
        if not offered:
            return str(Searcher.FINISHED)
        self._trials[trial_id] = self._trial(trial_id, offered[0], TrialState.RUNNING)
        nested: dict[str, Any] = unflatten_dict(space.outward(offered[0].config))
        return nested

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """See `Searcher.on_trial_complete`. Trials of others are left out."""
        trial = self._trials.get(trial_id)
        if trial is None:
            return
        value = None if error or not result else result.get(str(self._metric))
        self._trials[trial_id] = _ended(trial, value, stopped=not error and not result)
        self._iterations[trial_id] = int((result or {}).get(TRAINING_ITERATION, 0))

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """See `Searcher.add_evaluated_point`. Points outside of the space are left out."""
        space, _ = self._ready()
        config = space.inward(flatten_dict(parameters))
        if config is not None:
            name = f"evaluated-{len(self._trials)}"
            trial = self._trial(name, Proposal(config=config, source="past"), TrialState.RUNNING)
            self._trials[name] = _ended(trial, None if error else value, stopped=pruned)

    def save(self, checkpoint_path: str) -> None:
        """Write the trials so far as JSON; the file is there complete or not at all."""
        kept = [trial.model_dump(mode="json") for trial in self._trials.values()]
        path = Path(checkpoint_path)
        partial = path.with_name(f"{path.name}.partial")
        state = {"seed": self._seed, "trials": kept, "iterations": self._iterations}
        partial.write_text(json.dumps(state), encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105 - atomic

    def restore(self, checkpoint_path: str) -> None:
        """Take the trials of a file that `save` wrote; the space is the Tuner's or the constructor's to give again."""
        state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        trials = [Trial.model_validate(trial) for trial in state["trials"]]
        self._seed, self._iterations = state["seed"], state["iterations"]
        self._trials = {trial.trial_id: trial for trial in trials}

    def _ready(self) -> tuple[ForeignSpace, History]:
        if self._space is None:
            raise RuntimeError(UNDEFINED_SEARCH_SPACE.format(cls=type(self).__name__, space="space"))
        if not self._metric or not self._mode:
            raise RuntimeError(
                UNDEFINED_METRIC_MODE.format(cls=type(self).__name__, metric=self._metric, mode=self._mode)
            )
        direction = Direction.MAXIMIZE if self._mode == "max" else Direction.MINIMIZE
        longest = max(self._iterations.values(), default=0)
        trials = tuple(
            _pruned(trial) if self._same_length and self._iterations.get(name, longest) < longest else trial
            for name, trial in self._trials.items()
        )
        return self._space, History(direction=direction, trials=trials)

    def _trial(self, trial_id: str, proposal: Proposal, state: TrialState) -> Trial:
        return Trial(
            trial_id=trial_id,
            study_id="ray",
            number=len(self._trials),
            phase=Phase.SEARCH,
            state=state,
            proposal=proposal,
            seed=0,
        )

    def _check_mode(self) -> None:
        if not (isinstance(self._metric, str | None) and self._mode in ("min", "max", None)):
            raise ValueError(f"one metric and a mode of min or max are supported, got {self._metric} and {self._mode}")

    def __getstate__(self) -> dict[str, Any]:
        """Without the proposer, which is made anew."""
        return vars(self) | {"_proposer": None}


def _pruned(trial: Trial) -> Trial:
    complete = trial.state is TrialState.COMPLETE
    return trial.model_copy(update={"state": TrialState.PRUNED, "score": None}) if complete else trial


def _ended(trial: Trial, value: Any, *, stopped: bool) -> Trial:
    usable = isinstance(value, (int, float)) or hasattr(value, "__float__")
    score = float(value) if usable and math.isfinite(float(value)) and abs(float(value)) < LARGEST else None
    if stopped:
        return trial.model_copy(update={"state": TrialState.PRUNED})
    if score is None:
        return trial.model_copy(update={"state": TrialState.FAILED, "reason": FailureReason.NAN})
    return trial.model_copy(update={"state": TrialState.COMPLETE, "score": score})


def foreign_space(config: Mapping[str, Any]) -> ForeignSpace:
    """The searched parameters of a Tune config, under names such as "optimizer/lr". Raises ValueError."""
    if parse_spec_vars(dict(config))[2]:  # looked for before the dicts that stand for grids are flattened
        raise ValueError("grid_search cannot be searched by a model; use tune.choice")
    _, domains, _ = parse_spec_vars(flatten_dict(dict(config), prevent_delimiter=True))
    return ForeignSpace.of({"/".join(map(str, path)): _dimension(domain) for path, domain in domains})


def _dimension(domain: Domain) -> Dimension:
    sampler, q = domain.get_sampler(), None
    if isinstance(sampler, Quantized):
        sampler, q = sampler.get_sampler(), sampler.q
    log = isinstance(sampler, LogUniform)
    if isinstance(domain, Categorical):
        return listed(domain.categories)
    if isinstance(domain, Integer) and isinstance(sampler, Uniform | LogUniform):
        if q is None or q == 1:
            return whole(domain.lower, domain.upper - 1, log=log)
        return whole(-(-domain.lower // q) * q, domain.upper // q * q, log=log, step=q)
    if isinstance(domain, Float) and isinstance(sampler, Uniform | LogUniform):
        return real(domain.lower, domain.upper, log=log, step=q)  # Ray refuses bounds that q does not divide
    raise ValueError(
        f"{domain.domain_str} sampled by {type(domain).__name__}/{sampler} has no bounds to search between"
    )
