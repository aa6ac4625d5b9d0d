"""What happens in a study, an event in a sentence: plain text on one line, for displays of lines.

What libraries and models wrote is quoted. `desk/words.py` has the same as Markdown.
"""

from agent.report.wording import number
from agent.request.markup import duration, plain, quoted, scalar
from agent.study.nouns import EventKind, StudyEvent


def event_sentence(event: StudyEvent) -> str:
    """An event in a sentence."""
    data, trial = event.data, trial_number(event)
    error = f" {quoted(str(data['error']), 200)}" if data.get("error") else ""
    state = str(data.get("state", "")).lower()
    sentences = {
        EventKind.STUDY_STARTED: "The study was taken up.",
        EventKind.STATE_CHANGED: f"Now: {state}.",
        EventKind.TRIAL_PROPOSED: f"Trial {trial} was proposed by {data.get('source')}{_why(event)}.",
        EventKind.ATTEMPT_STARTED: f"Trial {trial} is being trained.",
        EventKind.PROGRESS: f"Trial {trial}, step {data.get('step')}/{data.get('total_steps')}{_losses(event)}",
        EventKind.TRIAL_COMPLETE: f"Trial {trial} is complete: score {_score(event)}{_seconds(event)}.",
        EventKind.TRIAL_PRUNED: f"Trial {trial} was stopped early{_share(event)}.",
        EventKind.TRIAL_FAILED: f"Trial {trial} failed: {data.get('reason')}.{error}",
        EventKind.TRIAL_RETRIED: f"Trial {trial} was interrupted and runs again.",
        EventKind.NEW_BEST: f"Trial {trial} is the best so far: {_score(event)}.",
        EventKind.CHOSEN: f"Trial {trial} is handed back{_why(event)}.",
        EventKind.TEST_OPENED: "The sealed test rows are being scored.",
        EventKind.REPORT_WRITTEN: "The report is written.",
        EventKind.WATCHER: f"{data.get('name')}{_why(event)}.",
        EventKind.STUDY_ENDED: f"The study has ended: {state}.{error}",
    }
    head = str(event.kind).replace("_", " ").capitalize()
    return plain(sentences.get(event.kind) or f"{head}{_why(event) or _figures(event)}.")


def _why(event: StudyEvent) -> str:
    why = next((str(event.data[name]) for name in ("why", "message", "sentence") if event.data.get(name)), "")
    return f": {quoted(why, 240)}" if why else ""


def _figures(event: StudyEvent) -> str:
    values = (f"{name} {scalar(value)}" for name, value in event.data.items() if isinstance(value, (int, float)))
    return f": {figures}" if (figures := ", ".join(values)) else ""


def _seconds(event: StudyEvent) -> str:
    seconds = event.data.get("seconds")
    return f", {duration(seconds)}" if isinstance(seconds, float) else ""


def _share(event: StudyEvent) -> str:
    share, loss = event.data.get("share"), event.data.get("eval_loss")
    at_loss = f", validation loss {loss:.4g}" if isinstance(loss, float) else ""
    return f" at {share:.0%} of its run{at_loss}" if isinstance(share, float) else ""


def trial_number(event: StudyEvent) -> int | None:
    """The number of the trial that an event is about."""
    return int(event.trial_id.rpartition("-")[2]) if event.trial_id else None


def _score(event: StudyEvent) -> str:
    score = event.data.get("score")
    return number(score) if isinstance(score, float) else str(score)


def _losses(event: StudyEvent) -> str:
    names = (("loss", "training loss"), ("eval_loss", "validation loss"))
    losses = [f"{name}={event.data[key]:.4f}" for key, name in names if isinstance(event.data.get(key), float)]
    return f": {', '.join(losses)}" if losses else ""
