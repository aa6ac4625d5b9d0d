"""Replies made by code from what the tools told: short Markdown whose every figure is in a result.

The engine without an LLM says nothing else; with an LLM they take the place of a reply that did not hold.
"""

from functools import singledispatch

from pydantic import BaseModel

from agent.desk.cards import Comparison, DataCard, Explanation, PlanCard, Problem, StudyCard
from agent.desk.chat.compact import quoted, short
from agent.desk.chat.exchange import Told
from agent.desk.chat.looking import trial_of
from agent.desk.chat.results import Asked, BudgetView, ExplanationView, LatestEvents, ParameterView, StudyList
from agent.report.model import Result
from agent.request.plan_rows import duration
from agent.study.nouns import StudyEvent
from tools.evaluate import Evaluation
from tools.export import Exported
from tools.generate import Answer

HASH_SHOWN = 12


def reply_to(told: Told) -> str:
    """What a tool told, as Markdown."""
    return _reply(told.card)


@singledispatch
def _reply(card: BaseModel) -> str:
    raise TypeError(f"no reply is made from {type(card).__name__}")


@_reply.register
def _(card: Problem) -> str:
    where = f"{card.param}: " if card.param and card.param not in ("request", "study", "trial") else ""
    stop = "" if card.message.rstrip().endswith((".", "?", "!")) else "."
    hint = f" {card.hint}" if card.hint else ""
    return _line(f"{where}{card.message}{stop}{hint}")


@_reply.register
def _(card: DataCard) -> str:
    used = ", ".join(f"{line.name} {quoted(line.value)}" for line in card.used_columns)
    rows = [
        f"**{short(card.data, 80)}** has {card.rows:,} rows ({card.format}), read as {card.task}.",
        f"- columns: {', '.join(quoted(name) for name in card.columns[:12])}" + (f"; used: {used}" if used else ""),
        f"- split: {card.train:,} train, {card.validation:,} validation, {card.test:,} test (sealed)",
        f"- tokens: half of the rows up to {card.tokens_p50}, 99 % up to {card.tokens_p99}, longest {card.tokens_max}",
    ]
    if card.classes:
        largest = sorted(card.classes.items(), key=lambda item: -item[1])[:6]
        listed = ", ".join(f"{quoted(label, 30)} ({count:,})" for label, count in largest)
        rows.append(f"- {len(card.classes)} classes: {listed}{', …' if len(card.classes) > len(largest) else ''}")
    if card.duplicates_removed:
        rows.append(f"- {card.duplicates_removed:,} duplicates are left out of training")
    return "\n".join([*rows, *(f"- {quoted(note, 200)}" for note in card.notes[:3])])


@_reply.register
def _(card: PlanCard) -> str:
    if card.problem is not None:
        hint = f" {_line(card.problem.hint)}" if card.problem.hint else ""
        also = f" {_line(card.notes[0])}" if card.notes else ""
        return f"That cannot be planned: {_line(card.problem.message)}{hint}{also}{_left_out(card)}"
    if card.questions:
        return "\n".join([*(_question(q.question, q.suggestion) for q in card.questions[:1])]) + _left_out(card)
    said = f"Plan `{(card.plan_hash or '')[:HASH_SHOWN]}`"
    told = f"{said}: {_trials(card.trials)}{_expected(card)}." if card.trials else f"{said}."
    if card.changed:
        changes = "; ".join(f"{_field(c.name)} {short(c.value, 60)} (was {short(c.origin, 60)})" for c in card.changed)
        told += f" Changed: {changes}."
    return told + _left_out(card)


def _trials(number: int) -> str:
    return f"{number:,} trial{'' if number == 1 else 's'}"


def _expected(card: PlanCard) -> str:
    if card.seconds_p50 is None or card.seconds_p90 is None:
        return ""
    return f", about {duration(card.seconds_p50)} (nine times in ten under {duration(card.seconds_p90)})"


def _question(question: str, suggestion: str | None) -> str:
    return _line(question) + (f" Suggestion: {quoted(suggestion)}; say yes to take it." if suggestion else "")


def _field(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def _left_out(card: PlanCard) -> str:
    words = ", ".join(quoted(part, 80) for part in card.not_obeyed[:3])
    return f"\n\nNot obeyed or not understood: {words}." if words else ""


@_reply.register
def _(card: Asked) -> str:
    return f"Plan `{card.plan_hash}` waits for your yes, no or change."


@_reply.register
def _(card: StudyCard) -> str:
    told = f"**Study {card.study}** is {card.state_words}: {card.trials_over} of {_trials(card.trials_limit)} over"
    lost = [f"{n} {word}" for n, word in ((card.trials_failed, "failed"), (card.trials_pruned, "stopped early")) if n]
    parts = [told + (f" ({', '.join(lost)})." if lost else ".")]
    if card.result is None and card.best is not None:
        parts.append(_so_far(card))
    parts += [
        f"Trial {r.trial} runs, step {r.step} of {r.total_steps}." if r.total_steps else f"Trial {r.trial} starts."
        for r in card.running
    ]
    parts.append(f"{duration(card.seconds_used)} used{_left(card)}.")
    if card.error:
        parts.append(f"Error: {quoted(card.error, 200)}")
    if card.over and card.result is None:
        parts.append("Say go on to resume it.")
    return " ".join(parts) + (_result(card, card.result) if card.result else "")


def _so_far(card: StudyCard) -> str:
    assert card.best is not None
    against = f", the default {card.default:.4f}" if card.default is not None else ""
    if card.best.trial == 0:
        return f"The default is the best so far with {card.metric} {card.best.score:.4f} on validation rows."
    return f"Best {card.metric} so far {card.best.score:.4f} (trial {card.best.trial}){against}, on validation rows."


def _left(card: StudyCard) -> str:
    if card.seconds_left_p50 is None or card.running_pid is None or card.state_words == "stopping":
        return ""
    return (
        f", about {duration(card.seconds_left_p50)} to go" if card.seconds_left_p50 >= 1 else ", longer than expected"
    )


def _result(card: StudyCard, found: Result) -> str:
    rows = [
        "",
        "",
        _line(found.verdict),
        "",
        f"| | test {card.metric} | 95 % interval |",
        "|---|---|---|",
        _side("default", found.default_test, found.default_ci95),
        _side("best", found.best_test, found.best_ci95),
        "",
        f"{found.test_rows:,} test rows. Report: `{card.report_dir}/report.html`, adapter: `{card.adapter_dir}`",
    ]
    return "\n".join(rows)


def _side(name: str, score: float | None, ci95: tuple[float, float] | None) -> str:
    interval = f"{ci95[0]:.4f} to {ci95[1]:.4f}" if ci95 else "–"
    return f"| {name} | {_score(score)} | {interval} |"


@_reply.register
def _(card: StudyList) -> str:
    if not card.studies:
        return "There is no study yet."
    rows = ["| study | state | trials | best | request |", "|---|---|---|---|---|"]
    for s in card.studies:
        trials = f"{s.trials_over}/{s.trials_limit}"
        rows.append(f"| {s.study} | {s.state_words} | {trials} | {_score(s.best)} | {_cell(s.request, 60)} |")
    rest = f"\n\n{len(card.studies)} of {card.count} are shown." if card.count > len(card.studies) else ""
    return "\n".join(rows) + rest


@_reply.register
def _(card: LatestEvents) -> str:
    if not card.events:
        return f"Nothing has happened in study {card.study} yet; it is {card.state_words}."
    lines = [f"- {event.at[11:19]} {_happened(event)}" for event in card.events]
    return "\n".join([f"The latest of study {card.study} ({card.state_words}), times in UTC:", *lines])


def _happened(event: StudyEvent) -> str:
    trial, data = trial_of(event.trial_id), event.data
    about = f"trial {trial}: " if trial is not None else ""
    words = str(event.kind).replace("_", " ")
    detail = next((f" {data['score']:.4f}" for _ in (0,) if isinstance(data.get("score"), float)), "")
    if not detail and (said := data.get("state") or data.get("source") or data.get("reason")):
        detail = f" ({short(str(said), 40).lower()})"
    return f"{about}{words}{detail}"


@_reply.register
def _(view: ExplanationView) -> str:
    found = view.explanation
    rows = [f"**Trial {found.trial}** of study {found.study} {_came_to(found)}."]
    rows.append(f"- proposed by {short(found.proposed_by, 40)}{': ' + quoted(found.why, 240) if found.why else ''}")
    if view.parameter is not None:
        rows += _about(view.parameter)
    elif found.differs_from_default:
        changes = ", ".join(f"{c.name} {short(c.value, 40)} ({short(c.other, 40)})" for c in found.differs_from_default)
        rows.append(f"- differs from the default in: {changes}")
    else:
        rows.append("- it is the default configuration")
    if found.predicted_mean is not None:
        sd = f" ± {found.predicted_sd:.4f}" if found.predicted_sd is not None else ""
        rows.append(f"- predicted {found.predicted_mean:.4f}{sd}, {found.outcome_words}")
    if found.default_scored is not None and found.trial != 0:
        rows.append(f"- the default scored {found.default_scored:.4f}")
    return "\n".join(rows)


def _came_to(found: Explanation) -> str:
    if found.outcome is not None:
        return f"{found.outcome_words} ({found.metric}, validation rows)"
    return f"is {found.outcome_words}" if found.state in ("WAITING", "RUNNING") else found.outcome_words


def _about(parameter: ParameterView) -> list[str]:
    rows = [
        f"- {parameter.name} is {parameter.value} here; the default is {parameter.default}; "
        f"searched: {parameter.searched}"
    ]
    if parameter.tried:
        tried = ", ".join(f"{t.value} → {_score(t.score)} (trial {t.trial})" for t in parameter.tried)
        rows.append(f"- tried so far, best first: {tried}")
    return rows


@_reply.register
def _(card: Comparison) -> str:
    rows = [
        f"Study {card.study}: {_line(card.verdict)}",
        "",
        f"| | {card.metric} |",
        "|---|---|",
        f"| {card.left_name} | {_score(card.left)} |",
        f"| {card.right_name} | {_score(card.right)} |",
    ]
    if card.difference is not None:
        interval = f" (95 % interval {card.ci95[0]:+.4f} to {card.ci95[1]:+.4f})" if card.ci95 else ""
        rows.append(f"| difference | {card.difference:+.4f}{interval} |")
    rows += ["", f"Basis: {_line(card.basis)}."]
    if card.changes:
        changes = ", ".join(f"{c.name} {short(c.value, 40)} against {short(c.other, 40)}" for c in card.changes)
        rows.append(f"They differ in: {changes}.")
    return "\n".join(rows)


@_reply.register
def _(view: BudgetView) -> str:
    rows = []
    if view.study is None or view.standing is None:
        rows.append("There is no study yet, so nothing has been spent on one.")
    else:
        spent = view.study
        seconds = duration(spent.seconds_limit) if spent.seconds_limit else "none"
        rows += [
            f"Study {spent.study} ({view.standing.state_words}) has used:",
            "",
            "| | used | limit |",
            "|---|---|---|",
            f"| trials | {spent.trials_used} | {spent.trials_limit} |",
            f"| time | {duration(spent.seconds_used)} | {seconds} |",
            f"| LLM tokens | {spent.llm_tokens_used:,} | {_limit(spent.llm_tokens_limit)} |",
            f"| LLM dollars | {spent.llm_usd_used:.4g} | {_limit(spent.llm_usd_limit)} |",
        ]
        if (left := view.standing.seconds_left_p50) is not None:
            rows += ["", f"About {duration(left)} to go." if left >= 1 else "It takes longer than expected."]
    if view.chat.llm_tokens_used:
        dollars = f", ${view.chat.llm_usd_used:.4g}" if view.chat.llm_usd_used else ""
        rows += ["", f"This conversation: {view.chat.llm_tokens_used:,} LLM tokens{dollars}."]
    return "\n".join(rows)


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:,g}" if isinstance(value, float) else f"{value:,}"


@_reply.register
def _(card: Evaluation) -> str:
    low, high = card.ci95
    others = ", ".join(f"{name} {value:.4f}" for name, value in card.others.items())
    told = f"**{card.metric} {card.score:.4f}** (95 % interval {low:.4f} to {high:.4f}) on {card.n_rows:,} rows of "
    return f"{told}{short(card.data, 80)}." + (f" Also: {others}." if others else "")


@_reply.register
def _(card: Answer) -> str:
    if not card.probabilities:
        return f"The model says:\n\n> {quoted(card.text, 1500)}"
    top = sorted(card.probabilities.items(), key=lambda item: -item[1])[:5]
    return "\n".join([f"The model says {quoted(card.text)}:", "", *(f"- {quoted(name)} {p:.1%}" for name, p in top)])


@_reply.register
def _(card: Exported) -> str:
    kind = "The merged model" if card.merged else "The adapter"
    return f"{kind} is in `{card.directory}` ({card.megabytes:g} MB)."


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _line(text: str, limit: int = 300) -> str:
    return short(text, limit)


def _cell(text: str, limit: int) -> str:
    return short(text, limit).replace("|", "/")
