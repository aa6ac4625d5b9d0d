"""One process carrying out one study: what its parts share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import ObserverGone
from agent.run.budget import Ledger
from agent.run.schedule import Scheduler
from agent.search.proposer import Proposer
from agent.search.space_edits import widened_space
from agent.study.nouns import EventKind, Observer, Phase, Proposal, Study, StudyEvent, StudyState, Trial
from agent.study.store import Store
from trainers.space import Space

BuildProposer = Callable[[Space], Proposer]


Record = tuple[EventKind, str | None, dict[str, Any]]
"""Kind, trial and data of an event that is to be stored."""


class CancelRequested(Exception):
    """Another process asked for the study to stop."""


@dataclass
class Run:
    """One process carrying out one study, with everything it works through."""

    study: Study
    store: Store
    ledger: Ledger
    scheduler: Scheduler
    proposer: Proposer
    observer: Observer
    rebuild: BuildProposer | None = None
    """Makes the proposer over a wider space; None: the space stays as planned."""
    failed_before: frozenset[str] = frozenset()
    """Trials that failed before this process took over: whoever resumes has done something about their reason."""

    @property
    def study_id(self) -> str:
        """The study's id."""
        return self.study.study_id

    @property
    def space(self) -> Space:
        """What is searched: the plan's space and what it was widened by since."""
        return widened_space(planned_space(self.study), self._widenings())

    @property
    def n_widened(self) -> int:
        """How often the space was widened."""
        return len(self._widenings())

    def _widenings(self) -> list[StudyEvent]:
        return self.store.events(self.study_id, kind=EventKind.SPACE_WIDENED)

    def emit(self, kind: EventKind, trial_id: str | None = None, **data: Any) -> StudyEvent:
        """Store an event, then show it."""
        return self._emit_all([(kind, trial_id, data)])[0]

    def emit_with_deviation(self, kind: EventKind, data: dict[str, Any], sentence: str) -> None:
        """Store an event and the sentence that the report says of it, both or none; then show them."""
        self._emit_all([(kind, None, data), (EventKind.DEVIATION, None, {"sentence": sentence})])

    def enter(self, state: StudyState) -> None:
        """Move the study on to `state`."""
        self.store.set_state(self.study_id, state)
        self.emit(EventKind.STATE_CHANGED, state=state)

    def add_trials(self, phase: Phase, proposals: Sequence[tuple[Proposal, int]]) -> None:
        """Store (proposal, seed) pairs as waiting trials and tell of them."""

        def records() -> Iterator[Record]:
            for trial in self.store.add_trials(self.study_id, phase, proposals):
                data = {"phase": phase, "number": trial.number, "seed": trial.seed}
                yield EventKind.TRIAL_PROPOSED, trial.trial_id, data | trial.proposal.model_dump(exclude_none=True)

        self._emit_all(records())

    def _emit_all(self, records: Iterable[Record]) -> list[StudyEvent]:
        """Store events, and what making their records writes, in one transaction; then show them."""
        with self.store.tx():
            events = [self.store.log_event(self.study_id, *record) for record in records]
        for event in events:
            tell(self.observer, event)
        return events

    def check_cancel(self) -> None:
        """Raises CancelRequested if somebody asked for it."""
        if self.store.cancel_requested(self.study_id):
            raise CancelRequested

    def step(self) -> list[Trial]:
        """One turn of the scheduler; raises CancelRequested if somebody asked for it."""
        self.check_cancel()
        return self.scheduler.step()


def planned_space(study: Study) -> Space:
    """The search space of the study's plan; every plan that is ready has one."""
    if study.plan.space is None:
        raise TypeError(f"study {study.study_id} holds a plan without a space")
    return study.plan.space


def tell(observer: Observer, event: StudyEvent) -> None:
    """Show a stored event. Raises ObserverGone where it cannot be shown: that ends the run, not the study."""
    try:
        observer.on_event(event)
    except (Exception, SystemExit) as error:  # rich ends the program when its pipe is closed
        raise ObserverGone(f"what happens cannot be shown any more ({type(error).__name__}: {error}).") from error
