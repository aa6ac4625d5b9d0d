"""Past trials that a study starts from: read at planning, kept in the plan, bound by its hash.

They come from Optuna's storages, SQLite or journal files. Nothing is written to those, nothing unpickled.
"""

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from tools.paths import confined
from trainers.errors import InputError
from trainers.space import Space
from trainers.spec import Closed, Config, Direction, TaskSpec

FIELD = "warm_start"
SQLITE_URL = "sqlite:///"
SQLITE_HEADER = b"SQLite format 3\x00"

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
    path, name = _split_source(source)
    study = read_study(confined(FIELD, path, roots), name)
    _check_objective(study, spec)
    trials = study.get_trials(deepcopy=False)
    finished = [t for t in trials if t.state.name in _STATES]
    recorded = {n for t in finished for n in t.params}
    names = _names(recorded, space)
    members = [past for t in finished if (past := _past_trial(t, names, space)) is not None]
    _check_scores(study.study_name, members, spec)
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


def _check_scores(name: str, trials: list[PastTrial], spec: TaskSpec) -> None:
    """Raises InputError for scores that the metric of the study cannot have, such as percentages."""
    metric = spec.objective.metric
    most = math.inf if metric.direction is Direction.MINIMIZE else 1.0  # all others are shares
    wrong = [t.score for t in trials if t.score is not None and not 0.0 <= t.score <= most]
    if wrong:
        rule = f"the scores of the past study {name!r} cannot be {metric}: {wrong[0]:g} is none of its values."
        raise InputError(FIELD, rule, "Name a study of the same metric; write percentages as shares (0.875 for 87.5).")


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


def _split_source(source: str) -> tuple[str, str | None]:
    """The path and the study's name of "FILE", "FILE#STUDY" or "sqlite:///FILE#STUDY"."""
    path, _, name = source.removeprefix(SQLITE_URL).partition("#")
    return path, name or None


def read_study(path: Path, name: str | None = None) -> Any:
    """The Optuna study called `name` in a storage file, or the only one there; it has one objective.

    Raises InputError for a file that is missing or no such storage, an unknown or missing name, several objectives.
    Takes about a second, most of it for importing Optuna.
    """
    if not path.is_file():
        raise InputError(FIELD, f"{path} must be an existing file.", "Check the path.", code="missing_file")
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = _storage(path)
        names = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=_study_name(names, name, path), storage=storage)
        study.get_trials(deepcopy=False)  # while what a broken file raises is still caught
    except InputError:
        raise
    except Exception as error:  # whatever a broken file makes Optuna and SQLAlchemy raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "Give a file that Optuna wrote; `optuna storage upgrade` mends one of an older version."
        raise InputError(FIELD, f"{path} cannot be read as an Optuna storage: {reason}.", hint) from error
    finally:
        optuna.logging.set_verbosity(before)
    if len(study.directions) > 1:
        rule = f"the study {study.study_name!r} in {path} has {len(study.directions)} objectives, and one is needed."
        raise InputError(FIELD, rule, "Name a study with one objective.")
    return study


def _storage(path: Path) -> Any:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    with path.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    if is_sqlite:  # read-only: opening it otherwise makes tables in a database that has none
        return RDBStorage(f"{SQLITE_URL}file:{quote(str(path))}?mode=ro&uri=true")
    return JournalStorage(JournalFileBackend(str(path)))


def _study_name(names: list[str], name: str | None, path: Path) -> str:
    listing = ", ".join(sorted(names)[:10])
    if name is not None and name not in names:
        raise InputError(FIELD, f"{path} holds no study {name!r}.", f"It holds: {listing or 'none'}.")
    if name is None and len(names) != 1:
        hint = f"Write {path.name}#NAME with one of: {listing}." if names else "Give a file with a study in it."
        raise InputError(FIELD, f"{path} holds {len(names)} studies, and one is needed.", hint)
    return name or names[0]
