"""What happens in a study, as events of a job."""

from agent.desk.words import event_sentence, trial_number
from agent.faces.http.openai.shapes import JobEvent, epoch
from agent.study.nouns import EventKind, StudyEvent

WARNINGS = frozenset(
    {EventKind.TRIAL_FAILED, EventKind.TRIAL_RETRIED, EventKind.DEVIATION, EventKind.CANDIDATE_DROPPED}
)


def event_of(event: StudyEvent) -> JobEvent:
    """An event of a study as one of a job."""
    failed = event.kind is EventKind.STUDY_ENDED and event.data.get("error")
    return JobEvent(
        id=f"ftevent-{event.seq}",
        created_at=epoch(event.at),
        level="error" if failed else "warn" if event.kind in WARNINGS else "info",
        message=event_sentence(event),
        type="metrics" if event.kind is EventKind.PROGRESS else "message",
        data={"kind": event.kind, "trial": trial_number(event), **event.data},
    )
