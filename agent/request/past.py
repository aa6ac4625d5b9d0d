"""Past trials that a study starts from: read at planning, kept in the plan, bound by its hash."""

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from agent.request.import_optuna import FIELD, read_study, split_source
from tools.paths import confined
from trainers.errors import InputError
from trainers.space import Space
from trainers.spec import Closed, Config, Direction, TaskSpec

MAX_PAST = 40
"""Past trials kept: the better half by score, the rest the latest. The proposers look at all of them in every trial."""

OTHER_NAMES = {"lr_scheduler_type": "scheduler", "lr_scheduler": "scheduler"}
"""Names of TRL and PEFT that the request's vocabulary does not have."""


_STATES: dict[str, Literal["complete", "failed", "pruned"]] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}
"""Optuna's names to ours; trials in other states are not finished."""


class PastTrial(Closed):
    """One past trial as a member of the study's space."""

    config: Config
    state: Literal["complete", "failed", "pruned"]
    score: float | None = None


class Past(Closed):
    """What a past study brings."""

    study: str
    trials: tuple[PastTrial, ...]
    left_out: dict[str, int] = Field({}, description="reason to number of trials")
    assumed: tuple[str, ...] = Field((), description="hyperparameters it did not have, taken at their defaults")
    not_searched: tuple[str, ...] = Field((), description="its hyperparameters that this study does not have")

    def note(self, spec: TaskSpec) -> str:
        """What was taken over and what it rests on, for the plan."""
        why = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        n = len(self.trials) + sum(self.left_out.values())
        used = f"Warm start: {len(self.trials)} of {n} trials of the past study {self.study!r} are used"
        parts = [f"{used} ({why})." if why else f"{used}."]
        parts.append(f"Their scores are taken as {spec.objective.metric}: only those of the same metric compare.")
        if self.assumed:
            parts.append(f"Not recorded there, taken at the default: {', '.join(self.assumed)}.")
        if self.not_searched:
            parts.append(f"Only recorded there, left out: {', '.join(self.not_searched)}.")
        return " ".join(parts)


def read_past(source: str, spec: TaskSpec, space: Space, roots: tuple[Path, ...]) -> Past:
    """The trials of the storage `source` that are members of `space`. Raises InputError, also where there are none."""
    path, name = split_source(source)
    study = read_study(confined(FIELD, path, roots), name)
    _check_objective(study, spec)
    trials = study.get_trials(deepcopy=False)
    finished = [t for t in trials if t.state.name in _STATES]
    recorded = {n for t in finished for n in t.params}
    names = _names(recorded, space)
    members = [past for t in finished if (past := _past_trial(t, names, space)) is not None]
    selection = _best_and_latest(members, spec.objective.direction)
    counts = {
        "not finished": len(trials) - len(finished),
        "outside of the search space": len(finished) - len(members),
        f"beyond the best and latest {MAX_PAST}": len(members) - len(selection),
    }
    left_out = {reason: count for reason, count in counts.items() if count}
    if not selection:
        reasons = ", ".join(f"{n} {why}" for why, n in left_out.items()) or "it has 0 trials"
        rule = f"no trial of the study {study.study_name!r} lies in the search space ({reasons})."
        searched = ", ".join(space.free)
        raise InputError(FIELD, rule, f"Widen the search, or leave the warm start out. Searched here: {searched}.")
    return Past(
        study=study.study_name,
        trials=tuple(selection),
        left_out=left_out,
        assumed=tuple(n for n in space.free if n not in names.values()),
        not_searched=tuple(sorted(recorded - set(names))),
    )


def canonical_name(name: str, ours: Collection[str]) -> str | None:
    """The name in `ours` that another tool's name stands for: itself, TRL's, or a spelling that requests may use.

    "train/lr" is learning_rate; a per-device batch size is none of ours, which are effective ones.
    """
    last = re.split(r"[/.]|__", name)[-1]
    for spelling in (name, last, OTHER_NAMES.get(last, "")):
        if spelling in ours:
            return spelling
    if "device" in last:
        return None
    from agent.request.rules.vocabulary import WORDS  # reads the words of the rules reader, which few processes need

    for hyperparameter in WORDS.hyperparameters:
        spelled = re.match(rf"(?:{hyperparameter.called})(?==)", f"{last}=", re.IGNORECASE)
        if spelled and hyperparameter.name in ours:
            return hyperparameter.name
    return None


def _names(recorded: Collection[str], space: Space) -> dict[str, str]:
    """Their name to ours; where two stand for one of ours, ours itself, else the first by spelling."""
    names: dict[str, str] = {}
    for name in sorted(recorded, key=lambda n: (n not in space.parameters, n)):
        ours = canonical_name(name, space.parameters)
        if ours is not None and ours not in names.values():
            names[name] = ours
    return names


def _past_trial(trial: Any, names: dict[str, str], space: Space) -> PastTrial | None:
    """An Optuna trial as ours, with the defaults of what it does not have; None where it is no member, or says nothing.

    A broken constraint or an infinite value is a failure.
    """
    values = {names[n]: value for n, value in trial.params.items() if n in names}
    if not values or any(not isinstance(value, bool | int | float | str) for value in values.values()):
        return None
    config = {n: p.at(0.5) if p.default is None else p.default for n, p in space.parameters.items()} | values
    if space.problems(config):
        return None
    state, score = _STATES[trial.state.name], None
    if state == "complete":
        feasible = all(value <= 0 for value in trial.constraints.values())
        score = float(trial.value) if feasible and math.isfinite(trial.value) else None
        state = "failed" if score is None else state
    return PastTrial(config=space.canonical(config), state=state, score=score)


def _check_objective(study: Any, spec: TaskSpec) -> None:
    theirs, ours = study.direction.name.lower(), spec.objective.direction.value
    if theirs != ours:
        rule = f"the past study {study.study_name!r} {theirs}s its score, and {spec.objective.metric} is to be {ours}d."
        raise InputError(FIELD, rule, "Name a study of the same metric.")
    if study.metric_names and study.metric_names[0] != spec.objective.metric:
        measured = f"measured {study.metric_names[0]!r}, and this one measures {spec.objective.metric}"
        rule = f"the past study {study.study_name!r} {measured}."
        raise InputError(FIELD, rule, "Scores of unlike metrics do not compare. Name a study of the same metric.")


def _best_and_latest(trials: list[PastTrial], direction: Direction) -> list[PastTrial]:
    """At most `MAX_PAST` of them, in their order."""
    if len(trials) <= MAX_PAST:
        return trials
    sign = -direction.sign
    scored = sorted((sign * t.score, i) for i, t in enumerate(trials) if t.score is not None)
    selection = {i for _, i in scored[: MAX_PAST // 2]}
    rest = [i for i in range(len(trials)) if i not in selection]
    selection |= set(rest[len(rest) - (MAX_PAST - len(selection)) :])
    return [t for i, t in enumerate(trials) if i in selection]
