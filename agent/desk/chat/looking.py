"""The tools that only look: what data hold, where a study stands, why a trial is as it is, what was spent."""

from typing import Any

from agent.desk.cards import DataCard, Explanation, StudyCard
from agent.desk.chat.arguments import Budget, Compare, Events, Explain, ProfileData, Status
from agent.desk.chat.compact import compact, quoted, short
from agent.desk.chat.exchange import Exchange, Told
from agent.desk.chat.results import (
    DATA_NOTE,
    BudgetView,
    ChatSpending,
    ExplanationView,
    LatestEvents,
    ParameterView,
    StudyLine,
    StudyList,
    Tried,
)
from agent.errors import InputError
from agent.request.plan_rows import searched_rows
from agent.study.nouns import EventKind
from trainers.spec import Scalar, Task

MAX_CHAT_TOKENS = 400_000
"""Prompt and reply tokens of one conversation's own LLM calls, all turns together."""

MAX_STUDIES = 10
MAX_TRIED = 6
QUIET = (EventKind.PROGRESS, EventKind.ATTEMPT_STARTED)


def profile_data(exchange: Exchange, given: ProfileData) -> Told:
    """What a data set holds, by counts."""
    card = _profile(exchange, given)
    shown = card.model_dump(mode="json", exclude={"sha256", "columns", "used_columns", "classes", "notes"})
    shown["columns"] = [quoted(name) for name in card.columns]
    shown["used_columns"] = {line.name: quoted(line.value) for line in card.used_columns}
    largest = sorted(card.classes.items(), key=lambda item: -item[1])
    shown["class_count"] = len(card.classes) or None
    shown["classes"] = {quoted(label): count for label, count in largest[:12]}
    shown["notes"] = [quoted(note, 200) for note in card.notes]
    return Told(card, f"{card.rows:,} rows, {card.task}", compact(shown | {"about_quotes": DATA_NOTE}))


def _profile(exchange: Exchange, given: ProfileData) -> DataCard:
    """Read as the task that is named, else as the first that the columns allow."""
    tasks = [given.task] if given.task is not None else list(Task)
    problems: list[InputError] = []
    for task in tasks:
        try:
            return exchange.desk.profile_data(given.data, task)
        except InputError as error:
            problems.append(error)
            if error.param in ("data", "data.train"):
                break  # the file itself cannot be read, whatever it is for
    raise problems[0]


def status(exchange: Exchange, given: Status) -> Told:
    """Where one study stands, or all of them."""
    if given.every:
        cards = exchange.desk.studies()
        listed = StudyList(count=len(cards), studies=tuple(_line(card) for card in cards[:MAX_STUDIES]))
        return Told(listed, f"{len(cards)} studies", compact(listed.model_dump(mode="json"), 120))
    card = exchange.desk.status(exchange.study(given.study))
    return Told(card, study_summary(card), study_result(card))


def study_summary(card: StudyCard) -> str:
    """A study in a line."""
    best = f", best {card.metric} {card.best.score:.4f}" if card.best else ""
    return f"study {card.study}: {card.state_words}, {card.trials_over}/{card.trials_limit} trials{best}"


def study_result(card: StudyCard) -> dict[str, Any]:
    """A study as a tool result."""
    hidden = {"plan_hash", "running_pid", "directory", "last_event", "created_at", "error"}
    shown = card.model_dump(mode="json", exclude=hidden)
    if card.error:
        shown["error"] = quoted(card.error, 200)
    return compact(shown)


def _line(card: StudyCard) -> StudyLine:
    return StudyLine(
        study=card.study,
        state_words=card.state_words,
        request=card.request,
        trials_over=card.trials_over,
        trials_limit=card.trials_limit,
        metric=card.metric,
        best=card.best.score if card.best else None,
    )


def events(exchange: Exchange, given: Events) -> Told:
    """The latest events of a study."""
    study = exchange.study(given.study)
    kinds = [kind for kind in EventKind if kind not in QUIET]
    found = exchange.desk.store.events(study, kinds=kinds)[-given.limit :]
    card = LatestEvents(study=study, state_words=exchange.desk.status(study).state_words, events=tuple(found))
    lines = [{"at": e.at[:19], "kind": e.kind, "trial": trial_of(e.trial_id), **_told_by(e.data)} for e in found]
    shown = {"study": study, "state_words": card.state_words, "count": len(found), "events": lines}
    return Told(card, f"{len(found)} events", compact(shown | {"about_quotes": DATA_NOTE}, 120))


def trial_of(trial_id: str | None) -> int | None:
    """The number in a trial's id."""
    return int(trial_id.rpartition("-")[2]) if trial_id else None


def _told_by(data: dict[str, Any]) -> dict[str, Any]:
    """The parts of an event that say something in a chat; what libraries and models wrote is quoted."""
    kept = {k: v for k, v in data.items() if k in ("state", "score", "reason", "share", "seconds", "source", "phase")}
    words = {k: quoted(str(data[k]), 100) for k in ("why", "error", "sentence", "message") if data.get(k)}
    return kept | words


def explain(exchange: Exchange, given: Explain) -> Told:
    """Why a trial has its configuration, with a hyperparameter in view where one is named."""
    study = exchange.study(given.study)
    found = exchange.desk.explain(study, given.trial if given.trial is not None else _in_view(exchange, study))
    view = ExplanationView(explanation=found, parameter=_parameter(exchange, found, given.parameter))
    shown = found.model_dump(
        mode="json", exclude={"curve", "llm_prompt_name", "llm_prompt_sha256", "why", "deviations"}
    )
    shown["why"] = quoted(found.why, 300) if found.why else None
    shown["deviations"] = [short(d, 120) for d in found.deviations[:4]]
    if view.parameter is not None:
        shown["parameter"] = view.parameter.model_dump(mode="json")
    return Told(view, f"trial {found.trial} of study {study}: {found.outcome_words}", compact(shown))


def _in_view(exchange: Exchange, study: str) -> int | None:
    """None for the best trial; while no trial has a score, the latest there is."""
    trials = exchange.desk.trials(study)
    return trials[-1].trial if trials and not any(t.score is not None for t in trials) else None


def _parameter(exchange: Exchange, found: Explanation, name: str | None) -> ParameterView | None:
    """The value of one hyperparameter among those searched and tried. Raises InputError for one that is not there."""
    if name is None:
        return None
    plan = exchange.desk.study(found.study).plan
    ranges = {row[0]: row[2] for row in searched_rows(plan)}
    default = plan.space.default() if plan.space else {}
    if name not in found.config and name not in ranges:
        known = ", ".join(found.config)
        raise InputError("parameter", f"{short(name, 40)!r} is no hyperparameter of this trial.", f"It has: {known}.")
    trials = [t for t in exchange.desk.trials(found.study) if name in t.config and t.phase == "search"]
    sign = -1 if exchange.desk.study(found.study).spec.objective.direction == "maximize" else 1
    trials.sort(key=lambda t: (t.score is None, sign * (t.score or 0.0)))
    return ParameterView(
        name=name,
        value=_shown(found.config.get(name)),
        default=_shown(default.get(name)),
        searched=ranges.get(name, "fixed, not searched"),
        tried=tuple(Tried(trial=t.trial, value=_shown(t.config[name]), score=t.score) for t in trials[:MAX_TRIED]),
    )


def _shown(value: Scalar | None) -> str:
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)


def compare(exchange: Exchange, given: Compare) -> Told:
    """Two configurations beside each other."""
    card = exchange.desk.compare(exchange.study(given.study), given.left, given.right)
    return Told(card, card.verdict, compact(card.model_dump(mode="json")))


def budget(exchange: Exchange, given: Budget) -> Told:
    """What a study has spent and may spend; of the conversation alone where there is no study yet."""
    memory = exchange.memory
    chat = ChatSpending(
        llm_tokens_used=memory.tokens_used,
        llm_tokens_limit=None if memory.llm == "embedded" else MAX_CHAT_TOKENS,
        llm_usd_used=memory.usd_used,
    )
    if given.study is None and not exchange.desk.store.studies():
        view = BudgetView(study=None, standing=None, chat=chat)
        return Told(view, "no study yet: nothing spent", compact(view.model_dump(mode="json")))
    study = exchange.study(given.study)
    spent, standing = exchange.desk.budget(study), exchange.desk.status(study)
    view = BudgetView(study=spent, standing=standing, chat=chat)
    shown = view.model_dump(mode="json", include={"study", "chat"})
    shown["state_words"], shown["seconds_left_p50"] = standing.state_words, standing.seconds_left_p50
    return Told(view, f"{spent.trials_used}/{spent.trials_limit} trials, {spent.seconds_used:.0f} s", compact(shown))
