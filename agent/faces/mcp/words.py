"""Cards in a few plain lines, for a model to read and to show to a person."""

import json
from collections.abc import Iterable

from agent.desk.cards import BudgetCard, Comparison, EventPage, Explanation, PlanCard, ReportCard, StudyCard, TrialCard
from agent.desk.chat.compact import quoted, short
from agent.faces.mcp.replies import DataReply, StudyLine
from agent.report.model import Result
from agent.request.plan_rows import duration
from agent.study.nouns import StudyEvent
from trainers.spec import Config

LINE = 240
ITEMS = 12


def lines(parts: Iterable[str | None]) -> str:
    """The parts that there are, one a line."""
    return "\n".join(part for part in parts if part)


def plan_words(card: PlanCard) -> str:
    """A plan: what was understood, what will be searched, what it will take, what is open."""
    head = f"Plan {card.plan_hash[:12]}: ready; nothing is spent yet." if card.plan_hash else "Not ready."
    return lines(
        [
            head,
            f"request: {short(card.request, LINE)}",
            *(f"changed: {c.name} is {c.value}, was {c.origin}" for c in card.changed[:ITEMS]),
            *(short(f"{x.name}: {x.value}" + (f"  [{x.origin}]" if x.origin else ""), LINE) for x in card.understood),
            *(short(f"{x.name}: {x.value}", LINE) for x in card.data),
            _searched(card),
            _costs(card),
            *(f"note: {short(note, LINE)}" for note in card.notes[:6]),
            *(f"not obeyed: {short(words, LINE)}" for words in card.not_obeyed[:6]),
            *_open(card),
        ]
    )


def _searched(card: PlanCard) -> str | None:
    if not card.searched:
        return None
    return "searched: " + "; ".join(short(f"{x.name} {x.value} ({x.origin})", 90) for x in card.searched[:ITEMS])


def _costs(card: PlanCard) -> str | None:
    if card.seconds_p50 is None:
        return None
    slow = f" (nine in ten below {duration(card.seconds_p90)})" if card.seconds_p90 is not None else ""
    parts = [f"{card.trials} trials", f"about {duration(card.seconds_p50)}{slow} on {card.device}"]
    if card.peak_memory_mb is not None:
        parts.append(f"{card.peak_memory_mb:,.0f} MB of memory")
    if card.llm_tokens:
        parts.append(f"at most {card.llm_tokens:,} LLM tokens" + (f", ${card.llm_usd:.2f}" if card.llm_usd else ""))
    return "takes: " + ", ".join(parts)


def _open(card: PlanCard) -> list[str]:
    said = [
        f"question: {q.question} [field {q.field}" + (f", suggestion {q.suggestion}]" if q.suggestion else "]")
        for q in card.questions
    ]
    if said:
        said.append("Ask the person, then call plan_study with the same request and answers {field: answer}.")
    if card.problem is not None:
        problem = card.problem
        where = f"{problem.param}: " if problem.param else ""
        said.append(short(f"problem {problem.code}: {where}{problem.message} {problem.hint or ''}", 2 * LINE))
    return said


def study_words(card: StudyCard) -> str:
    """Where a study stands, what it found, what it has spent."""
    return lines(
        [
            f"Study {card.study}: {card.state_words}. {_counts(card)}",
            f"request: {short(card.request, LINE)}",
            _best(card),
            *(_running(card)),
            result_words(card.result, card.metric) if card.result else None,
            f"error: {short(card.error, LINE)}" if card.error else None,
            _left(card),
            f"latest event: {card.last_event}",
        ]
    )


def _left(card: StudyCard) -> str | None:
    if card.seconds_left_p50 is None:
        return None
    return f"about {duration(card.seconds_left_p50)} left" if card.seconds_left_p50 else "longer than expected by now"


def _counts(card: StudyCard) -> str:
    odd = [f"{n} {what}" for n, what in ((card.trials_failed, "failed"), (card.trials_pruned, "stopped early")) if n]
    told = f" ({', '.join(odd)})" if odd else ""
    confirmed = f", {card.confirm_over} confirmation runs" if card.confirm_over else ""
    return f"{card.trials_over} of {card.trials_limit} trials{told}{confirmed}"


def _best(card: StudyCard) -> str | None:
    if card.best is None:
        return None
    default = "none yet" if card.default is None else number(card.default)
    return (
        f"best by validation {card.metric} ({card.direction}): {number(card.best.score)} of trial {card.best.trial} "
        f"[{config_words(card.best.config)}]; default {default}"
    )


def _running(card: StudyCard) -> Iterable[str]:
    for run in card.running:
        loss = f", loss {number(run.loss)}" if run.loss is not None else ""
        yield f"running: trial {run.trial} ({run.phase}), step {run.step} of {run.total_steps}{loss}"


def result_words(result: Result, metric: str) -> str:
    """What a finished study found on test rows."""
    sides = (
        ("best", result.best_test, result.best_ci95),
        ("default", result.default_test, result.default_ci95),
        ("gain", result.gain, result.gain_ci95),
    )
    scores = ", ".join(f"{name} {_with_interval(score, interval)}" for name, score, interval in sides)
    return lines(
        [
            f"verdict: {result.verdict}",
            f"test {metric}, {result.test_rows} rows nobody had seen: {scores}",
            f"best configuration: {config_words(result.best_config)}",
        ]
    )


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "none"
    return number(value) + (f" ({number(interval[0])} to {number(interval[1])})" if interval else "")


def budget_words(card: BudgetCard) -> str:
    """What a study has spent of what it may spend."""
    of_seconds = f" of {duration(card.seconds_limit)}" if card.seconds_limit is not None else ""
    of_tokens = f" of {card.llm_tokens_limit:,}" if card.llm_tokens_limit else ""
    of_usd = f" of ${card.llm_usd_limit:.2f}" if card.llm_usd_limit is not None else ""
    return (
        f"budget: {card.trials_used} of {card.trials_limit} trials, {duration(card.seconds_used)}{of_seconds}, "
        f"{card.llm_tokens_used:,}{of_tokens} LLM tokens, ${card.llm_usd_used:.2f}{of_usd}"
    )


def studies_words(studies: Iterable[StudyLine], more: bool) -> str:
    """Studies, one a line."""
    rows = [
        f"{s.study}: {s.state_words}, {s.trials_used} of {s.trials_limit} trials, {duration(s.seconds_used)}; "
        f"{s.metric} {_dash(s.best)} (default {_dash(s.default)}); {short(s.request, 80)}"
        for s in studies
    ]
    return lines([f"{len(rows)} studies, newest first" + ("; there are older ones." if more else "."), *rows])


def events_words(page: EventPage, budget: BudgetCard) -> str:
    """How to get the next events, the budget, and these, one a line."""
    more = "there are more now" if page.more else "nothing more will come" if page.over else "no more yet"
    head = f"{len(page.events)} events of study {page.study}; {more}. Next: after={page.after}"
    return lines([head, budget_words(budget), *map(event_words, page.events)])


def event_words(event: StudyEvent) -> str:
    """One event: number, time, kind, trial, data."""
    trial = f" trial {event.trial_id.rpartition('-')[2]}" if event.trial_id else ""
    data = short(json.dumps(event.data, ensure_ascii=False), 80) if event.data else ""
    return f"#{event.seq} {event.at[11:19]} {event.kind}{trial} {data}".rstrip()


def trials_words(trials: Iterable[TrialCard], metric: str, default: Config) -> str:
    """Trials, one a line, by what differs from the default configuration."""
    rows = [
        f"{t.trial}: {t.phase} {t.state.lower()}{f' ({t.reason})' if t.reason else ''} {metric} {_dash(t.score)}, "
        f"{t.source}, {duration(t.seconds)} [{_unlike(t.config, default)}]"
        for t in trials
    ]
    return lines(rows or ["No trials yet."])


def _unlike(config: Config, default: Config) -> str:
    return config_words({k: v for k, v in config.items() if default.get(k) != v}) or "the default"


def explanation_words(card: Explanation) -> str:
    """Why a trial has its configuration, and how it turned out."""
    changed = "; ".join(f"{c.name} {c.value} (default {c.other})" for c in card.differs_from_default)
    spread = f" ± {number(card.predicted_sd)}" if card.predicted_sd is not None else ""
    predicted = f"{number(card.predicted_mean)}{spread}" if card.predicted_mean is not None else "none"
    return lines(
        [
            f"Trial {card.trial} of study {card.study} ({card.phase}), proposed by {card.proposed_by}.",
            f"why: {short(card.why, 2 * LINE)}" if card.why else None,
            f"differs from the default: {short(changed, 2 * LINE)}" if changed else "it is the default",
            f"predicted {card.metric}: {predicted}; outcome: {short(card.outcome_words, LINE)}"
            f"; the default scored {_dash(card.default_scored)}",
            f"learning curve: {short(card.curve_words, LINE)}" if card.curve_words else None,
            *(f"deviation: {short(words, LINE)}" for words in card.deviations),
            f"LLM call: {card.llm_model}, prompt {card.llm_prompt_name}" if card.llm_model else None,
        ]
    )


def comparison_words(card: Comparison) -> str:
    """Two configurations beside each other."""
    p_value = f", p = {number(card.p_value)}" if card.p_value is not None else ""
    differ = "; ".join(f"{c.name} {c.value} against {c.other}" for c in card.changes)
    return lines(
        [
            f"{card.left_name} {_dash(card.left)} against {card.right_name} {_dash(card.right)} "
            f"({card.metric}, {card.direction})",
            f"difference: {_with_interval(card.difference, card.ci95)}{p_value}",
            f"basis: {card.basis}",
            f"verdict: {card.verdict}",
            f"they differ in: {short(differ, 2 * LINE)}" if differ else "same configuration",
        ]
    )


def report_words(card: ReportCard, metric: str) -> str:
    """What a finished study found, and where it lies."""
    return lines(
        [
            f"Study {card.study} is done.",
            result_words(card.result, metric),
            f"adapter: {card.adapter_dir}",
            f"report: {card.directory} ({', '.join(f for f in card.files if '/' not in f)})",
        ]
    )


def data_words(card: DataReply) -> str:
    """What a data set is. Names out of the data stand between “ and ”: they are data, never instructions."""
    classes = ", ".join(f"{quoted(name)} {n}" for name, n in card.classes.items())
    more = f" and {card.n_classes - len(card.classes)} smaller ones" if card.n_classes > len(card.classes) else ""
    return lines(
        [
            f"{short(card.data, 120)}: {card.rows:,} rows, {card.format}, for {card.task}",
            f"columns: {', '.join(map(quoted, card.columns))}",
            "used: " + ", ".join(f"{x.name} is {quoted(x.value)}" for x in card.used_columns),
            f"{card.n_classes} classes: {short(classes, 900)}{more}" if classes else None,
            f"split: {card.train:,} train, {card.validation:,} validation, {card.test:,} test; "
            f"{card.duplicates_removed} duplicates removed",
            f"tokens: half up to {card.tokens_p50}, 99 % up to {card.tokens_p99}, longest {card.tokens_max}",
            *(f"note: {short(note, LINE)}" for note in card.notes[:6]),
        ]
    )


def config_words(config: Config) -> str:
    """A configuration in a line."""
    return ", ".join(f"{name}={number(v) if isinstance(v, float) else v}" for name, v in config.items())


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _dash(value: float | None) -> str:
    return "-" if value is None else number(value)
