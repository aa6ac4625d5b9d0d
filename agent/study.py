"""The nouns of carrying out a plan: study, trial, attempt, event, and the history that proposers see."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from agent.request.plan import Plan
from trainers.spec import Closed, Config, Direction, FailureReason, TaskSpec


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
    PRUNED = "PRUNED"  # stopped early on purpose; its score belongs to a lower fidelity
    FAILED = "FAILED"  # no score; the reason is data for the proposers


class Phase(StrEnum):
    """What a trial is for."""

    SEARCH = "search"
    CONFIRM = "confirm"


class Proposal(Closed):
    """One configuration put forward, and what its proposer knew."""

    config: Config
    source: str = Field(description="default, portfolio, tpe, gp, random, llm, ...")
    why: str = ""
    predicted_mean: float | None = Field(None, description="expected validation score, where the proposer has one")
    predicted_sd: float | None = None
    llm_call_id: int | None = None


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
    score: float | None = Field(None, description="validation score, only when COMPLETE or PRUNED")
    reason: FailureReason | None = None
    error: str | None = None
    seconds: float = Field(0.0, description="wall time of all its attempts")
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
    def best(self) -> Trial | None:
        """The complete trial with the best score; the earliest of equals."""
        sign = 1 if self.direction is Direction.MAXIMIZE else -1
        return max(self.complete, key=lambda t: (sign * (t.score or 0.0), -t.number), default=None)

    def imputed(self) -> list[tuple[Config, float]]:
        """(config, score) of every finished trial, failed ones at the 90th-percentile-worst score seen.

        A failed trial left out would be proposed again; one punished by an arbitrary number bends every model
        (reference: Centaur's failures, arXiv 2603.24647). Empty while nothing is complete.
        """
        scores = sorted(
            (t.score for t in self.complete if t.score is not None), reverse=self.direction is Direction.MINIMIZE
        )
        if not scores:
            return []
        bad = scores[int(0.1 * (len(scores) - 1))]
        return [
            (t.config, t.score if t.score is not None else bad)
            for t in self.trials
            if t.state in (TrialState.COMPLETE, TrialState.FAILED)
        ]


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
    TRIAL_FAILED = "trial_failed"  # it has none; data: reason, error
    TRIAL_RETRIED = "trial_retried"  # it was interrupted and runs again; data: reason, error
    NEW_BEST = "new_best"  # the best search score so far; data: score
    PROPOSAL_REFUSED = "proposal_refused"  # a proposed configuration was tried already or is invalid; data: why, config
    SEARCH_STOPPED = "search_stopped"  # no more configurations are asked for; data: why
    CONFIRM_PLANNED = "confirm_planned"  # fresh seeds were given out; data: seeds, configs
    CANDIDATE_DROPPED = "candidate_dropped"  # a configuration failed on a fresh seed; data: config, why
    CHOSEN = "chosen"  # the configuration and seed to hand back; data: trial_id, means, why
    DEVIATION = "deviation"  # something was done otherwise than planned; data: sentence
    TEST_OPENED = "test_opened"  # the sealed rows are being scored; data: opening, trial_ids
    REPORT_WRITTEN = "report_written"  # the report exists; data: directory
    PLANNER = "planner"  # about the planner LLM: a retry, a cap, a batch that failed; data: kind, message, count
    STUDY_ENDED = "study_ended"  # the process let go of the study; data: state, error


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
        ...


class StudyOutcome(Closed):
    """How one run of a study ended."""

    study_id: str
    state: StudyState
    report_dir: Path | None = None
    adapter_dir: Path | None = None
