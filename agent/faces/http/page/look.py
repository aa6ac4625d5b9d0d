"""How states, sources and events look on the page."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from agent.desk.cards import Line, PlanCard, StudyCard, TrialCard
from agent.desk.event_words import event_sentence, trial_number
from agent.desk.study_cards import changes
from agent.faces.http.page.reading import clock, count, words
from agent.report.wording import number
from agent.request.markup import duration
from agent.study.nouns import EventKind, Phase, StudyEvent, StudyState, TrialState
from trainers.spec import Closed, Config, FailureReason


class Source(Closed):
    """Who proposed a trial: never told by colour alone, so each has a shape."""

    name: str
    meaning: str
    path: str = "M0-6L5.700-1.900 3.500 4.900H-3.500L-5.700-1.900Z"
    hollow: bool = False


class Tables(Closed):
    """`look.toml` beside this file, which says what each table is."""

    sources: dict[str, Source]
    states: dict[TrialState, tuple[str, str]]
    reasons: dict[FailureReason, str]
    dots: dict[EventKind, str]
    tools: dict[str, tuple[str, str]]
    curves: dict[str, tuple[str, str]]
    files: dict[str, str]
    suggestions: dict[str, str]
    icons: dict[str, str]


TABLES = Tables.model_validate(tomllib.loads(files(__package__).joinpath("look.toml").read_text(encoding="utf-8")))
STEPS = {
    StudyState.SEARCHING: "Search",
    StudyState.CONFIRMING: "Confirm",
    StudyState.REPORTING: "Test",
    StudyState.DONE: "Report",
}
EVENTS_SHOWN = 14
"""Unless every one is asked for."""
ANNOUNCED = (EventKind.TRIAL_COMPLETE, EventKind.NEW_BEST, EventKind.REPORT_WRITTEN)
"""Events that a screen reader says."""


def source(name: str) -> Source:
    """The mark and the words of a source; an unknown one has its own name."""
    return TABLES.sources.get(name) or Source(name=name, meaning=name)


def source_class(name: str) -> str:
    """The class that gives a source's mark its colour."""
    return f"src-{name if name in TABLES.sources else 'other'}{' hollow' if source(name).hollow else ''}"


def proposer(trial: TrialCard) -> str:
    """The source of a trial; confirmation runs are nobody's proposal."""
    return "confirm" if trial.phase is Phase.CONFIRM else trial.source


def outcome(trial: TrialCard) -> str:
    """The score of a trial, or where it stands."""
    return number(trial.score) if trial.score is not None else TABLES.states[trial.state][1]


def reason(trial: TrialCard) -> str:
    """The state of a trial in words, with why it failed."""
    why = trial.reason and TABLES.reasons.get(trial.reason, words(trial.reason.lower()))
    return f"failed: {why}" if why else TABLES.states[trial.state][1]


def study_kind(card: StudyCard) -> str:
    """good, bad, warn, busy or idle: the colour of a study's state."""
    if card.paused:
        return "warn"
    ends = {StudyState.DONE: "good", StudyState.FAILED: "bad"}
    return ends.get(card.state) or ("busy" if card.running_pid else "idle")


def steps(card: StudyCard) -> list[tuple[str, str]]:
    """(name, past | present | held | future) of the stages of a study."""
    place = list(STEPS).index(card.state) if card.state in STEPS else -1
    if card.state is StudyState.DONE:
        place = len(STEPS)
    elif place < 0 and card.started_at and card.state in (StudyState.CANCELLED, StudyState.FAILED):
        place = int(card.confirm_over > 0)
    now = "present" if card.running_pid else "held"
    return [(name, "past" if i < place else now if i == place else "future") for i, name in enumerate(STEPS.values())]


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
    return kind, kind, text.removeprefix(f"{kind}: ")


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


def announcement(events: Sequence[StudyEvent]) -> str:
    """The latest event that a screen reader is to say."""
    return next((event_sentence(event) for event in events if event.kind in ANNOUNCED), "")


def event_line(event: StudyEvent) -> tuple[str, int | None, str, str]:
    """(dot, trial, what comes after the trial's name, or the sentence) and the local time of an event."""
    trial, text = trial_number(event), event_sentence(event)
    rest = text.removeprefix(f"Trial {trial} ")
    named = trial is not None and rest != text
    dot = TABLES.dots.get(event.kind, "idle")
    return dot, trial if named else None, rest if named else text, clock(event.at)
