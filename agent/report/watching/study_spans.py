"""Spans of a study's trial attempts, made of its stored events."""

from datetime import datetime
from functools import partial

from agent.llm import traces
from agent.report.watching.in_thread import ThreadWatcher
from agent.study.nouns import EventKind, StudyEvent

_ENDS = {
    EventKind.TRIAL_COMPLETE: "COMPLETE",
    EventKind.TRIAL_PRUNED: "PRUNED",
    EventKind.TRIAL_FAILED: "FAILED",
    EventKind.TRIAL_RETRIED: "RETRIED",
}


class SpanWatcher(ThreadWatcher):
    """A `Watcher` that makes a span of every attempt; also tells what could not be sent."""

    def __init__(self) -> None:
        super().__init__("traces", (EventKind.ATTEMPT_STARTED, *_ENDS), partial(take, {}))

    def troubles(self) -> list[str]:
        """See `Watcher`."""
        return [*super().troubles(), *traces.troubles()]


def take(began: dict[str, StudyEvent], event: StudyEvent) -> None:
    """One event; `began` holds the attempts under way, by trial id."""
    trial_id = event.trial_id or ""
    if event.kind is EventKind.ATTEMPT_STARTED:
        began[trial_id] = event
        return
    start = began.pop(trial_id, None)
    if start is None:
        return  # it never began
    state, data = _ENDS[event.kind], event.data
    traces.past_span(
        "trial attempt",
        {
            "tunewright.trial": int(trial_id.rpartition("-")[2]),
            "tunewright.attempt": str(start.data["attempt_id"]),
            "tunewright.state": state,
            "tunewright.score": data.get("score"),
        },
        datetime.fromisoformat(start.at).timestamp(),
        datetime.fromisoformat(event.at).timestamp(),
        str(data["reason"]) if data.get("reason") else None,
    )
