"""Plans and studies as HTML for notebooks: small tables in the notebook's own style, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from agent.desk.cards import PlanCard, StudyCard
from agent.request.plan_rows import HASH_SHOWN, duration


def plan_html(card: PlanCard) -> str:
    """What was understood, what was found, what it will take, and what is open."""
    parts = [_title("Plan", _standing(card)), _table((line.name, line.value, line.origin) for line in card.understood)]
    if card.data:
        parts += [_head("Data"), _table((line.name, line.value) for line in card.data)]
    if card.searched:
        parts += [_head("Search"), _table((line.name, line.value, line.origin) for line in card.searched)]
    if card.seconds_p50 is not None and card.seconds_p90 is not None:
        text = f"about {duration(card.seconds_p50)}, nine times in ten under {duration(card.seconds_p90)}"
        parts.append(_line(f"Expected time: {text}, on {card.device}."))
    parts += [_line(note) for note in (*card.notes, *(f"Not obeyed or understood: {part}" for part in card.not_obeyed))]
    changed = [(line.name, line.value, f"was {line.origin}") for line in card.changed]
    if changed:
        parts += [_head("Changed"), _table(changed)]
    return _whole(parts)


def _standing(card: PlanCard) -> str:
    if card.plan_hash is not None:
        return f"ready, {card.plan_hash[:HASH_SHOWN]}"
    if card.problem is not None:
        where = f"{card.problem.param}: " if card.problem.param else ""
        return f"cannot be carried out. {where}{card.problem.message} {card.problem.hint or ''}"
    return "open: " + " ".join(
        f"{q.question} ({q.field}{f', suggestion {q.suggestion}' if q.suggestion else ''})" for q in card.questions
    )


def study_html(card: StudyCard) -> str:
    """Where a study stands and, when it is done, what it found."""
    limit = f" of {duration(card.seconds_limit)}" if card.seconds_limit else ""
    left = f", about {duration(card.seconds_left_p50)} left" if card.seconds_left_p50 else ""
    config = ", ".join(f"{name} {value}" for name, value in card.best.config.items()) if card.best else ""
    rows = [
        ("request", card.request),
        ("trials", f"{card.trials_over} of {card.trials_limit}, {card.trials_failed} failed"),
        (f"best {card.metric}", f"{card.best.score:.4f} (validation, trial {card.best.trial})" if card.best else ""),
        (f"default {card.metric}", "" if card.default is None else f"{card.default:.4f} (validation)"),
        ("best configuration", config),
        ("time", f"{duration(card.seconds_used)}{limit}{left}"),
        ("error", card.error or ""),
    ]
    parts = [_title(f"Study {card.study}", card.state_words), _table(row for row in rows if row[1])]
    if (found := card.result) is not None:
        sides = [
            ("best", _score(found.best_test), _interval(found.best_ci95)),
            ("default", _score(found.default_test), _interval(found.default_ci95)),
            ("gain", _score(found.gain), _interval(found.gain_ci95)),
        ]
        parts += [_head(f"On {found.test_rows} test rows nobody had seen"), _table(sides), _line(found.verdict)]
    return _whole(parts)


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"95 % interval {ends[0]:.4f} to {ends[1]:.4f}"


def _whole(parts: Sequence[str]) -> str:
    return f"<div>{''.join(parts)}</div>"


def _title(name: str, text: str) -> str:
    return f"<p><strong>{escape(name)}</strong> {escape(text)}</p>"


def _head(text: str) -> str:
    return f"<p><strong>{escape(text)}</strong></p>"


def _line(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    left = ' style="text-align:left;vertical-align:top"'
    told = "".join(
        "<tr>" + f"<th{left}>{escape(row[0])}</th>" + "".join(f"<td{left}>{escape(c)}</td>" for c in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<table>{told}</table>"
