"""How states, sources and events look on the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from agent.desk.cards import Line, PlanCard, StudyCard, TrialCard
from agent.desk.event_words import event_sentence, trial_number
from agent.desk.study_cards import changes
from agent.faces.http.page.reading import clock, count, words
from agent.report.wording import number
from agent.request.markup import duration
from agent.study.nouns import EventKind, Phase, StudyEvent, StudyState, TrialState
from trainers.spec import Config, FailureReason


class Source(NamedTuple):
    """Who proposed a trial: never told by colour alone, so each has a shape."""

    path: str
    name: str
    meaning: str


_RING = "M-4.500 0a4.500 4.500 0 1 0 9 0a4.500 4.500 0 1 0-9 0Z"
_PENTAGON = "M0-6L5.700-1.900 3.500 4.900H-3.500L-5.700-1.900Z"
SOURCES = {
    "default": Source("M0-6.500L6.500 0 0 6.500-6.500 0Z", "default", "the default configuration"),
    "portfolio": Source("M-4.800-4.800H4.800V4.800H-4.800Z", "portfolio", "a published setting"),
    "gp": Source(
        "M-5.200 0a5.200 5.200 0 1 0 10.400 0a5.200 5.200 0 1 0-10.400 0Z",
        "Gaussian process",
        "Optuna's Gaussian process",
    ),
    "incontext": Source("M0-6.800L5.900 3.400H-5.900Z", "in-context model", "the embedded in-context model"),
    "llm": Source(
        "M0-7.500L2-2.700 7.100-2.300 3.200 1 4.400 6.100 0 3.400-4.400 6.100-3.200 1-7.100-2.300-2-2.700Z",
        "LLM",
        "the planner LLM",
    ),
    "local": Source("M0 6.800L5.900-3.400H-5.900Z", "local move", "a step from a good trial"),
    "random": Source("M-2-5.500H2V-2H5.500V2H2V5.500H-2V2H-5.500V-2H-2Z", "random", "drawn at random"),
    "tpe": Source("M0-5.800L5-2.900V2.900L0 5.800-5 2.900V-2.900Z", "TPE", "Optuna's TPE"),
    "replicate": Source(_RING, "replicate", "a tried configuration on another seed"),
    "confirm": Source(_RING, "confirmation", "the confirmation: a fresh seed, after the search"),
    "warm_start": Source(_PENTAGON, "past study", "brought from a past study"),
}

STATES = {
    TrialState.WAITING: ("idle", "waiting"),
    TrialState.RUNNING: ("busy", "running"),
    TrialState.COMPLETE: ("good", "complete"),
    TrialState.PRUNED: ("idle", "stopped early"),
    TrialState.FAILED: ("bad", "failed"),
}
REASONS = {
    FailureReason.OOM_GPU: "out of GPU memory",
    FailureReason.OOM_HOST: "out of memory",
    FailureReason.NAN: "diverged",
    FailureReason.TIMEOUT: "out of time",
    FailureReason.HANG: "hung",
    FailureReason.USER_CODE: "error in the trainer",
    FailureReason.LOST: "worker lost",
}
EVENT_DOTS = {
    "good": ("trial_complete", "report_written"),
    "best": ("new_best", "chosen"),
    "bad": ("trial_failed",),
    "busy": ("attempt_started",),
    "warn": ("trial_retried", "space_widened", "candidate_dropped", "deviation", "planner", "watcher"),
}
EVENTS_SHOWN = 14
"""Unless every one is asked for."""
ANNOUNCED = (EventKind.TRIAL_COMPLETE, EventKind.NEW_BEST, EventKind.REPORT_WRITTEN)
"""Events that a screen reader says."""

TOOLS = {
    "profile_data": ("Looking at the data", "Looked at the data"),
    "plan_study": ("Planning", "Planned"),
    "start_study": ("Asking for approval", "Asked for approval"),
    "status": ("Looking at the study", "Looked at the study"),
    "events": ("Reading the events", "Read the events"),
    "explain": ("Looking at the trial", "Looked at the trial"),
    "compare": ("Comparing", "Compared"),
    "cancel": ("Stopping", "Stopped"),
    "resume": ("Resuming", "Resumed"),
    "evaluate": ("Evaluating", "Evaluated"),
    "generate": ("Generating", "Generated"),
    "export": ("Exporting", "Exported"),
    "budget": ("Looking at the budget", "Looked at the budget"),
    "report": ("Reading the report", "Read the report"),
}
FIELDS = {
    "loss": ("Training", "training loss"),
    "eval_loss": ("Validation", "validation loss"),
    "learning_rate": ("Rate", "learning rate"),
    "grad_norm": ("Gradient", "gradient norm"),
}
"""Field of a learning curve: its button, its name."""
STEPS = ((StudyState.SEARCHING, "Search"), (StudyState.CONFIRMING, "Confirm"), (StudyState.REPORTING, "Test"))
FILES = (
    ("report/report.html", "Report, one page"),
    ("report/report.md", "Report, Markdown"),
    ("report/spec.yaml", "Spec to run again"),
    ("adapter.zip", "The adapter, with its model card"),
)
"""What a finished study offers for download, under its route."""


def source(name: str) -> Source:
    """The mark and the words of a source; an unknown one has its own name."""
    return SOURCES.get(name) or Source(_PENTAGON, name, name)


def source_class(name: str) -> str:
    """The class that gives a source's mark its colour."""
    hollow = " hollow" if source(name).path == _RING else ""
    return f"src-{name if name in SOURCES else 'other'}{hollow}"


def proposer(trial: TrialCard) -> str:
    """The source of a trial; confirmation runs are nobody's proposal."""
    return "confirm" if trial.phase is Phase.CONFIRM else trial.source


def outcome(trial: TrialCard) -> str:
    """The score of a trial, or where it stands."""
    return number(trial.score) if trial.score is not None else STATES[trial.state][1]


def reason(trial: TrialCard) -> str:
    """The state of a trial in words, with why it failed."""
    why = trial.reason and REASONS.get(trial.reason, trial.reason.lower().replace("_", " "))
    return f"failed: {why}" if why else STATES[trial.state][1]


def study_kind(card: StudyCard) -> str:
    """good, bad, warn, busy or idle: the colour of a study's state."""
    if card.paused:
        return "warn"
    ends = {StudyState.DONE: "good", StudyState.FAILED: "bad"}
    return ends.get(card.state) or ("busy" if card.running_pid else "idle")


def steps(card: StudyCard) -> list[tuple[str, str]]:
    """(name, past | present | held | future) of the stages of a study."""
    names = [*STEPS, (StudyState.DONE, "Report")]
    place = next((i for i, (state, _) in enumerate(names) if state is card.state), -1)
    if card.state is StudyState.DONE:
        place = len(names)
    elif place < 0 and card.started_at and card.state in (StudyState.CANCELLED, StudyState.FAILED):
        place = int(card.confirm_over > 0)
    now = "present" if card.running_pid else "held"
    return [(name, "past" if i < place else now if i == place else "future") for i, (_, name) in enumerate(names)]


def gain_of(card: StudyCard) -> tuple[float | None, float | None, bool]:
    """(best score, gain over the default, whether the gain is sure) on test rows, or so far on validation rows."""
    r = card.result
    if r is None:
        best = card.best.score if card.best else None
        return best, None if best is None or card.default is None else best - card.default, False
    sign = card.direction.sign
    return r.best_test, r.gain, r.gain_ci95 is not None and min(sign * end for end in r.gain_ci95) > 0


def trials_note(card: StudyCard) -> str:
    """What else is to be said of a study's number of trials."""
    if card.confirm_over and card.state is not StudyState.DONE:
        return f"{card.confirm_over} confirmation runs"
    pruned = [f"{card.trials_pruned} stopped early"] if card.trials_pruned else []
    failed = [f"{card.trials_failed} failed"] if card.trials_failed else []
    return ", ".join(pruned + failed) or "of the search"


def study_facts(card: StudyCard) -> list[str]:
    """Where a study stands, for a line."""
    facts = [f"{card.trials_over} of {count(card.trials_limit, 'trial')}"]
    if card.confirm_over and card.state is not StudyState.DONE:
        facts.append(f"{card.confirm_over} confirmed")
    if card.best:
        facts.append(f"best {card.metric} {number(card.best.score)}")
    if card.default is not None:
        facts.append(f"default {number(card.default)}")
    if card.running_pid and card.seconds_left_p50:
        facts.append(f"about {duration(card.seconds_left_p50)} left")
    return facts


def config_line(config: Config, default: Config) -> str:
    """What differs from the default configuration, in a line."""
    named = (f"{words(c.name)} {c.value}" for c in changes(config, default))
    return " · ".join(named) or "as the default"


def origin(text: str) -> tuple[str, str, str]:
    """(class, label, text) of where a value of a plan comes from; the user's own words are quoted."""
    if text.startswith("“"):
        return "said", "your words", text
    kind = "default" if text.startswith("default") else "inferred"
    return kind, kind, text.removeprefix(f"{kind}: ") if text.startswith(f"{kind}: ") else text


def plan_of(result: Mapping[str, Any]) -> PlanCard | None:
    """The plan card of a tool's result, which leaves out what is empty and has lines by name; None if it is none."""
    card = {name: value for name, value in result.items() if name in PlanCard.model_fields}
    for name in ("understood", "data", "searched", "changed"):
        if isinstance(lines := card.get(name), Mapping):
            card[name] = [_line(line, value) for line, value in lines.items()]
    try:
        return PlanCard.model_validate({"plan_hash": None, "request": "", "ready": False, **card})
    except ValidationError:
        return None


def _line(name: str, value: Any) -> Line:
    if isinstance(value, Mapping):
        return Line(name=name, value=str(value["value"]), origin=value.get("origin") or "")
    return Line(name=name, value=str(value))


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a tool that say something."""
    return {name: value for name, value in arguments.items() if value is not None}


def announcement(events: Sequence[StudyEvent]) -> str:
    """The latest event that a screen reader is to say."""
    return next((event_sentence(event) for event in events if event.kind in ANNOUNCED), "")


def event_line(event: StudyEvent) -> tuple[str, int | None, str, str]:
    """(dot, trial, what comes after the trial's name, or the sentence) and the local time of an event."""
    trial, text = trial_number(event), event_sentence(event)
    rest = text.removeprefix(f"Trial {trial} ")
    named = trial is not None and rest != text
    dot = next((dot for dot, kinds in EVENT_DOTS.items() if event.kind in kinds), "idle")
    return dot, trial if named else None, rest if named else text, clock(event.at)
