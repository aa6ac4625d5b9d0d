"""The nouns of carrying out a plan: study, trial, attempt, event, and the history that proposers see."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from pydantic import Field

from agent.request.plan import Plan
from agent.study.noise import posterior_means
from trainers.spec import Closed, Config, Direction, FailureReason, TaskSpec, Tradeoff, TrainResult


class StudyState(StrEnum):
    """Where a study stands."""

    PLANNED = "PLANNED"  # approved, nothing started
    SEARCHING = "SEARCHING"  # trials are proposed and run
    CONFIRMING = "CONFIRMING"  # top configurations and the default run on fresh seeds
    REPORTING = "REPORTING"  # the test split is being opened
    DONE = "DONE"  # the report is written
    CANCELLED = "CANCELLED"  # stopped on request; can be resumed
    FAILED = "FAILED"  # cannot go on; the error says why


class TrialState(StrEnum):
    """Where a trial stands."""

    WAITING = "WAITING"  # proposed, not started (or to be run again after an interruption)
    RUNNING = "RUNNING"  # an attempt is under way
    COMPLETE = "COMPLETE"  # scored on validation
    PRUNED = "PRUNED"  # stopped at a rung on purpose; what it reached there is in `rung`
    FAILED = "FAILED"  # no score; the reason is data for the proposers


class Phase(StrEnum):
    """What a trial is for."""

    SEARCH = "search"
    CONFIRM = "confirm"


REPLICATE = "replicate"
"""Source of a search trial that runs a known configuration again on another seed."""


class Rung(Closed):
    """Where a trial stood after a share of its own schedule. Comparable with other trials at the same share only."""

    share: float = Field(gt=0, le=1, description="of the optimizer steps that the whole run would have taken")
    step: int
    eval_loss: float = Field(description="validation loss there, whatever the study's metric is")


class Proposal(Closed):
    """One configuration put forward, and what its proposer knew."""

    config: Config
    source: str = Field(description="default, portfolio, tpe, gp, random, llm, replicate, ...")
    why: str = ""
    predicted_mean: float | None = Field(None, description="expected validation score, where the proposer has one")
    predicted_sd: float | None = None
    llm_call_id: int | None = None


WEIGHT_BYTES = 4
"""Trained weights are fp32, in training and on disk (the estimate counts them so as well)."""


class Costs(Closed):
    """What the whole run of a trial took, as far as configurations differ in it. The fields are those of `Tradeoff`."""

    train_seconds: float = Field(ge=0, description="wall time of training alone on its one device")
    peak_memory_mb: float = Field(
        ge=0,
        description="MiB; on a GPU what the run allocated; on CPU the worker's resident memory, with what earlier "
        "trials left in it",
    )
    adapter_mb: float = Field(ge=0, description="10^6 bytes of the trained weights as saved, the head's included")

    def of(self, cost: Tradeoff) -> float:
        """One of the three."""
        return float(getattr(self, cost.value))


def costs_of(result: TrainResult) -> Costs:
    """What a finished run took."""
    return Costs(
        train_seconds=result.train_seconds,
        peak_memory_mb=result.peak_memory_mb,
        adapter_mb=result.trainable_parameters * WEIGHT_BYTES / 1e6,
    )


class Trial(Closed):
    """One configuration at one seed (and one fidelity)."""

    trial_id: str
    study_id: str
    number: int = Field(description="0 is the default configuration; counts search and confirm trials in one row")
    phase: Phase
    state: TrialState
    proposal: Proposal
    seed: int
    attempts: int = 0
    score: float | None = Field(None, description="validation score of the whole run, only when COMPLETE")
    rung: Rung | None = Field(None, description="where it was stopped, only when PRUNED")
    reason: FailureReason | None = None
    error: str | None = None
    seconds: float = Field(0.0, description="wall time of all its attempts")
    costs: Costs | None = Field(None, description="only when COMPLETE")
    adapter_dir: str | None = None
    deviations: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The configuration this trial runs."""
        return self.proposal.config


class History(Closed):
    """What a proposer may see: the search trials of one study in order of their numbers, pending ones included."""

    direction: Direction
    trials: tuple[Trial, ...]

    @property
    def complete(self) -> tuple[Trial, ...]:
        """Trials with a score."""
        return tuple(t for t in self.trials if t.state is TrialState.COMPLETE)

    @property
    def failed(self) -> tuple[Trial, ...]:
        """Trials without a score that are over."""
        return tuple(t for t in self.trials if t.state is TrialState.FAILED)

    @property
    def pending(self) -> tuple[Trial, ...]:
        """Trials proposed or running."""
        return tuple(t for t in self.trials if t.state in (TrialState.WAITING, TrialState.RUNNING))

    @property
    def by_config(self) -> tuple[tuple[Trial, ...], ...]:
        """The complete trials, those of one configuration (its replicates) together, in order of their first."""
        return by_config(self.complete)

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The first complete trial of each configuration, the best configuration first; the earlier of equals.

        Configurations are ranked by `agent.study.noise.posterior_means`, not by their luckiest run: without
        replicates that is the order of the scores.
        """
        sign = self.direction.sign
        groups = self.by_config
        means = posterior_means([_scores(group) for group in groups])
        order = sorted(range(len(groups)), key=lambda i: (-sign * means[i], groups[i][0].number))
        return tuple(groups[i][0] for i in order)

    @property
    def best(self) -> Trial | None:
        """The first trial of the incumbent: the configuration that is best in expectation; see `ranked`."""
        return next(iter(self.ranked), None)

    def mean_score(self, config: Config) -> float | None:
        """Mean score of the configuration's complete trials; None without any."""
        group = next((g for g in self.by_config if config_key(g[0].config) == config_key(config)), ())
        return fmean(_scores(group)) if group else None

    def with_pending(self, proposals: Sequence[Proposal]) -> "History":
        """This history with `proposals` as trials that wait, numbered on from the last."""
        first = max((t.number for t in self.trials), default=-1) + 1
        same: dict[str, Any] = {"study_id": "", "phase": Phase.SEARCH, "state": TrialState.WAITING, "seed": 0}
        pending = tuple(
            Trial(trial_id=f"proposed-{number}", number=number, proposal=proposal, **same)
            for number, proposal in enumerate(proposals, start=first)
        )
        return self.model_copy(update={"trials": self.trials + pending})

    def imputed(self) -> list[tuple[Config, float]]:
        """(config, score) of every configuration that has been run to an end of any kind, in order of first trials.

        Complete ones have the mean of their replicates. Failed ones stand at the 90th-percentile-worst of these: one
        left out would be proposed again, one punished by an arbitrary number bends every model (reference: Centaur's
        failures, arXiv 2603.24647). Pruned ones stand where the worst third begins: they were among the worse ones at
        a rung, and what a rung shows is no score. Empty while nothing is complete.
        """
        means = {config_key(group[0].config): fmean(_scores(group)) for group in self.by_config}
        if not means:
            return []
        worst_first = sorted(means.values(), reverse=self.direction is Direction.MINIMIZE)
        stand_in = {
            TrialState.FAILED: worst_first[int(0.1 * (len(worst_first) - 1))],
            TrialState.PRUNED: worst_first[int((len(worst_first) - 1) / 3)],
        }
        scores: dict[str, tuple[Config, float]] = {}
        for trial in self.trials:
            key = config_key(trial.config)
            if key in means:
                scores.setdefault(key, (trial.config, means[key]))
            elif trial.state in stand_in:
                scores.setdefault(key, (trial.config, stand_in[trial.state]))
        return list(scores.values())


def config_key(config: Config) -> str:
    """A text equal for equal canonical configurations (those of stored trials are)."""
    return json.dumps(config, sort_keys=True)


def by_config(trials: Iterable[Trial]) -> tuple[tuple[Trial, ...], ...]:
    """The trials of each configuration together, in order of their first."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(config_key(trial.config), []).append(trial)
    return tuple(tuple(group) for group in groups.values())


def _scores(trials: tuple[Trial, ...]) -> list[float]:
    return [t.score for t in trials if t.score is not None]


class Study(Closed):
    """One approved plan being carried out."""

    study_id: str
    state: StudyState
    created_at: str = Field(description="UTC, ISO 8601, as all times")
    started_at: str | None = None
    finished_at: str | None = None
    plan: Plan
    plan_hash: str
    directory: Path = Field(description="everything the study writes, the database apart")
    command: str = Field("", description="the command that reproduces it")
    cwd: Path | None = Field(None, description="working directory it was approved in; relative outputs lie there")
    error: str | None = None
    owner_pid: int | None = Field(None, description="process that runs it, or ran it last")
    cancel_requested: bool = False

    @property
    def spec(self) -> TaskSpec:
        """The resolved spec; only ready plans become studies."""
        if not isinstance(self.plan.spec, TaskSpec):
            raise TypeError(f"study {self.study_id} holds a plan that was never resolved")
        return self.plan.spec


class EventKind(StrEnum):
    """What happened in a study."""

    STUDY_STARTED = "study_started"  # a process took the study up, for the first time or again
    STATE_CHANGED = "state_changed"  # the study moved on; data: state
    TRIAL_PROPOSED = "trial_proposed"  # a configuration was put forward; data: config, source, why, phase
    ATTEMPT_STARTED = "attempt_started"  # a worker began to train it; data: attempt_id, pid, load_seconds
    PROGRESS = "progress"  # about one a second while training; data: step, total_steps, loss, eval_loss
    TRIAL_COMPLETE = "trial_complete"  # it has a validation score; data: score, seconds
    RUNG_REACHED = "rung_reached"  # a running trial was compared at a rung; data: share, step, eval_loss, stopped, why
    TRIAL_PRUNED = "trial_pruned"  # it was stopped there; data: share, step, eval_loss, seconds
    TRIAL_FAILED = "trial_failed"  # it has none; data: reason, error
    TRIAL_RETRIED = "trial_retried"  # it was interrupted and runs again; data: reason, error
    NEW_BEST = "new_best"  # the best search score so far; data: score
    PROPOSAL_REFUSED = "proposal_refused"  # a proposed configuration was tried already or is invalid; data: why, config
    SPACE_WIDENED = "space_widened"  # a bound of the space was moved out by rule; data: parameter, low, high, by, why
    SPACE_EDIT_REFUSED = "space_edit_refused"  # an edit of the space broke the rule; data: why, parameter, by
    ENOUGH_FOUND = "enough_found"  # nothing more is to be expected of the search; data: why, trials_unspent
    SEARCH_STOPPED = "search_stopped"  # no more configurations are asked for; data: why, trials_unspent
    CONFIRM_PLANNED = "confirm_planned"  # fresh seeds were given out; data: seeds, configs
    CANDIDATE_DROPPED = "candidate_dropped"  # a configuration failed on a fresh seed; data: config, why
    CHOSEN = "chosen"  # the configuration and seed to hand back; data: trial_id, means, why
    WARM_STARTED = "warm_started"  # past trials stand before the study's own; data: study, used, left_out
    DEVIATION = "deviation"  # something was done otherwise than planned; data: sentence
    TEST_OPENED = "test_opened"  # the sealed rows are being scored; data: opening, trial_ids
    REPORT_WRITTEN = "report_written"  # the report exists; data: directory
    WATCHER = "watcher"  # a tracker, the webhook or the traces failed; the study goes on; data: name, message
    PLANNER = "planner"  # about the planner LLM: a retry, a cap, a batch that failed; data: kind, message, count
    STUDY_ENDED = "study_ended"  # the process let go of the study; data: state, error, code (of the error)


class StudyEvent(Closed):
    """One line of a study's journal; also what a live display or `--json` stream gets."""

    seq: int = Field(description="increases through all studies of one database")
    at: str
    kind: EventKind
    trial_id: str | None = None
    data: dict[str, Any] = {}


class Observer(Protocol):
    """Something that watches a study: the live display, an NDJSON stream, a test."""

    def on_event(self, event: StudyEvent) -> None:
        """Called after the event is stored, from the thread that runs the study; must return quickly."""


def report_directory(study: Study) -> Path:
    """Where the user finds report and adapter: the spec's output directory, else one in the study's own."""
    place = study.spec.output.dir
    return (study.cwd or Path.cwd()) / Path(place).expanduser() if place else study.directory / "output"


def derived_seed(study_seed: int, purpose: str, *counters: int) -> int:
    """A seed in [0, 2^31) that depends on every argument and on nothing else."""
    text = "/".join(str(part) for part in (study_seed, purpose, *counters))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


ENDED = (StudyState.DONE, StudyState.FAILED, StudyState.CANCELLED)


OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)
