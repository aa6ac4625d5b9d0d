"""An Optuna study's trials as the history that our proposers read."""

from collections.abc import Sequence
from random import Random
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from agent.search.for_optuna.foreign_space import LARGEST, ForeignSpace
from agent.search.proposer import outside_trial
from agent.search.tradeoff import chebyshev, quality_losses
from agent.study.nouns import History, Proposal, Trial, TrialState
from trainers.spec import Direction

PROPOSAL_KEY = "tunewright:proposal"
"""System attribute of an Optuna trial that holds the `Proposal` it came from, as JSON."""

MAX_TRIALS = 120
"""Longer histories are cut to the best `KEPT_BEST`, the running and the latest: a proposal takes seconds beyond."""

KEPT_BEST = 40

_STATES = {
    optuna.trial.TrialState.COMPLETE: TrialState.COMPLETE,
    optuna.trial.TrialState.PRUNED: TrialState.PRUNED,
    optuna.trial.TrialState.FAIL: TrialState.FAILED,
    optuna.trial.TrialState.RUNNING: TrialState.RUNNING,
}


def history_of(
    space: ForeignSpace, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], seed: int
) -> History:
    """The members of `space` among `trials`, in order of their numbers; waiting trials have no parameters yet.

    Broken constraints and values of no use (NaN, infinitely bad) count as failures. Several objectives become one by
    `chebyshev`, whose weights are drawn by `seed`: over the calls of a study these sweep the
    front.
    """
    signs = [1.0 if d == StudyDirection.MAXIMIZE else -1.0 for d in directions]
    scores = _scores([t for t in trials if t.state == optuna.trial.TrialState.COMPLETE], signs, Random(seed))
    members = [t for trial in trials if (t := _trial(space, trial, scores.get(trial.number))) is not None]
    single_minimum = len(signs) == 1 and signs[0] < 0
    direction = Direction.MINIMIZE if single_minimum else Direction.MAXIMIZE
    return History(direction=direction, trials=tuple(_thinned(members, -1.0 if single_minimum else 1.0)))


def _trial(space: ForeignSpace, trial: FrozenTrial, score: float | None) -> Trial | None:
    state = _STATES.get(trial.state)
    stored = trial.system_attrs.get(PROPOSAL_KEY)
    proposal = Proposal.model_validate(stored) if stored else None
    config = space.inward(trial.params)
    if config is None and proposal is not None and state is TrialState.RUNNING:  # not suggested yet: a parallel trial
        config = None if space.space.problems(proposal.config) else space.space.canonical(proposal.config)
    if state is None or config is None:
        return None
    if state is TrialState.COMPLETE and score is None:
        state = TrialState.FAILED
    source = proposal.source if proposal else "independent"
    return outside_trial("optuna", trial.number, state, Proposal(config=config, source=source), score)


def _scores(complete: Sequence[FrozenTrial], signs: Sequence[float], rng: Random) -> dict[int, float]:
    """The score of each trial by its number; infeasible ones and those that are infinitely bad have none."""
    usable: dict[int, list[float]] = {}
    for trial in complete:
        gains = [sign * value for sign, value in zip(signs, trial.values, strict=True)]
        if all(gain > -LARGEST for gain in gains) and not any(v > 0 for v in trial.constraints.values()):
            usable[trial.number] = [min(gain, LARGEST) for gain in gains]
    if len(signs) == 1:
        return {number: signs[0] * gain for number, (gain,) in usable.items()}
    losses = zip(*(quality_losses(column) for column in zip(*usable.values(), strict=True)), strict=True)
    raw = [rng.expovariate(1.0) for _ in signs]
    weights = [w / sum(raw) for w in raw]
    return {number: -chebyshev(values, weights) for number, values in zip(usable, losses, strict=True)}


def _thinned(trials: list[Trial], sign: float) -> list[Trial]:
    if len(trials) <= MAX_TRIALS:
        return trials
    scored: list[Any] = sorted((-sign * t.score, t.number) for t in trials if t.score is not None)
    numbers = {number for _, number in scored[:KEPT_BEST]} | {t.number for t in trials if t.state is TrialState.RUNNING}
    latest = [t.number for t in trials if t.number not in numbers]
    numbers |= set(latest[len(latest) - max(0, MAX_TRIALS - len(numbers)) :])
    return [t for t in trials if t.number in numbers]
