"""The nouns of carrying out a plan: study, trial, attempt, and the history that proposers see."""

from enum import StrEnum

from pydantic import Field

from trainers.spec import Closed, Config, Direction, FailureReason


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
