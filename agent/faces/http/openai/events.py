"""What happens in a study, as events of a job."""

from typing import Any

from agent.faces.http.openai.files import epoch
from agent.faces.http.openai.shapes import JobEvent
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
        message=words_of(event),
        type="metrics" if event.kind is EventKind.PROGRESS else "message",
        data={"kind": event.kind, "trial": trial_number(event), **event.data},
    )


def trial_number(event: StudyEvent) -> int | None:
    """The trial an event is about."""
    return None if event.trial_id is None else int(event.trial_id.rpartition("-")[2])


def words_of(event: StudyEvent) -> str:
    """An event in a sentence."""
    data, trial = event.data, trial_number(event)
    known = {
        EventKind.STUDY_STARTED: "The study was taken up.",
        EventKind.STATE_CHANGED: f"Now: {str(data.get('state', '')).lower()}.",
        EventKind.TRIAL_PROPOSED: f"Trial {trial} was proposed by {data.get('source')}.",
        EventKind.ATTEMPT_STARTED: f"Trial {trial} is being trained.",
        EventKind.PROGRESS: f"Trial {trial}, step {data.get('step')}/{data.get('total_steps')}{_losses(data)}",
        EventKind.TRIAL_COMPLETE: f"Trial {trial} is complete: score {_score(data)}.",
        EventKind.TRIAL_PRUNED: f"Trial {trial} was stopped early.",
        EventKind.TRIAL_FAILED: f"Trial {trial} failed: {data.get('reason')}.{_error(data)}",
        EventKind.TRIAL_RETRIED: f"Trial {trial} was interrupted and runs again.",
        EventKind.NEW_BEST: f"Trial {trial} is the best so far: {_score(data)}.",
        EventKind.CHOSEN: f"Trial {trial} is handed back.",
        EventKind.TEST_OPENED: "The sealed test rows are being scored.",
        EventKind.REPORT_WRITTEN: "The report is written.",
        EventKind.STUDY_ENDED: f"The study has ended: {str(data.get('state', '')).lower()}.{_error(data)}",
    }
    why = str(data.get("why") or data.get("message") or data.get("sentence") or "")
    head = str(event.kind).replace("_", " ").capitalize()
    return known.get(event.kind) or (f"{head}: {why}" if why else f"{head}.")


def _error(data: dict[str, Any]) -> str:
    return f" {data['error']}" if data.get("error") else ""


def _score(data: dict[str, Any]) -> str:
    score = data.get("score")
    return f"{score:.4f}" if isinstance(score, float) else str(score)


def _losses(data: dict[str, Any]) -> str:
    told = [f"{name}={data[key]:.4f}" for key, name in LOSSES if isinstance(data.get(key), float)]
    return f": {', '.join(told)}" if told else ""


LOSSES = (("loss", "training loss"), ("eval_loss", "validation loss"))
