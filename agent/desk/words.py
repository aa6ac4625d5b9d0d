"""Every card in words, once: Markdown that terminal, chat, page, notebook and MCP show.

Pure functions from a card to its text. Every figure in a text stands in its card. What files, models and libraries
wrote is quoted and escaped (`agent.request.markup`).
"""

from collections.abc import Iterable, Sequence
from functools import singledispatch

from pydantic import BaseModel

from agent.desk.cards import (
    BudgetCard,
    BudgetStanding,
    Change,
    Comparison,
    DataCard,
    EventPage,
    Explanation,
    Line,
    ParameterView,
    PlanCard,
    Problem,
    ReportCard,
    StudyCard,
    StudyLine,
    StudyList,
    TrialCard,
    TrialExplanation,
    TrialPage,
)
from agent.desk.event_words import event_sentence
from agent.report.model import Result
from agent.report.wording import config_line, number, signed, span
from agent.request.markup import code, duration, escaped, quoted, scalar, short, table
from agent.request.plan_rows import HASH_SHOWN
from agent.study.nouns import Phase, StudyEvent, TrialState
from tools.evaluate import Evaluation
from tools.export import Exported
from tools.generate import Answer
from trainers.spec import Config

CLASSES_SHOWN = 12
NOTES_SHOWN = 6
CONFUSION = "plots/confusion_matrix.png"


@singledispatch
def words_of(card: BaseModel) -> str:
    """A card as Markdown. Raises TypeError for a model that no function here puts into words."""
    raise TypeError(f"{type(card).__name__} has no words")


@words_of.register
def problem_text(card: Problem) -> str:
    """Why something cannot be done, and the next step."""
    param = f"{card.param}: " if card.param and card.param not in ("request", "study", "trial") else ""
    stop = "" if card.message.rstrip().endswith((".", "?", "!")) else "."
    hint = f" {card.hint}" if card.hint else ""
    return escaped(f"{param}{card.message}{stop}{hint}", 600)


@words_of.register
def data_text(card: DataCard) -> str:
    """What a data set is. Names out of the data stand between “ and ”."""
    used = "; ".join(f"{line.name} {quoted(line.value)}" for line in card.used_columns)
    columns = ", ".join(quoted(name) for name in card.columns[:CLASSES_SHOWN])
    facts = [
        f"columns: {columns}" + (f"; used: {used}" if used else ""),
        f"split: {card.train:,} train, {card.validation:,} validation, {card.test:,} test (sealed)",
        f"tokens: half of the rows up to {card.tokens_p50}, 99 % up to {card.tokens_p99}, longest {card.tokens_max}",
        _classes(card),
        f"{card.duplicates_removed:,} duplicates are left out of training" if card.duplicates_removed else "",
        *(quoted(note, 240) for note in card.notes[:NOTES_SHOWN]),
    ]
    head = f"**{escaped(card.data, 120)}** has {card.rows:,} rows ({card.format}), read as {card.task}."
    return _joined(head, _bullets(escaped(fact) for fact in facts if fact))


def _classes(card: DataCard) -> str:
    largest = sorted(card.classes.items(), key=lambda item: -item[1])[:CLASSES_SHOWN]
    names = ", ".join(f"{quoted(label, 30)} ({count:,})" for label, count in largest)
    return f"{card.n_classes} classes: {names}{', …' if card.n_classes > len(largest) else ''}" if largest else ""


@words_of.register
def plan_text(card: PlanCard) -> str:
    """A plan whole: what was understood, what will be searched, what it will take, what is open; its hash first."""
    return _joined(
        plan_summary(card),
        understood_text(card),
        _rows(("data", ""), ((x.name, x.value) for x in card.data)),
        _rows(("searched", "range", ""), ((x.name, x.value, x.origin) for x in card.searched)),
        _rows(("takes", ""), _takes(card)),
        _bullets(escaped(note) for note in card.notes),
    )


def understood_text(card: PlanCard) -> str:
    """What was understood, and from which words or by which default."""
    return _rows(("understood", "", "from"), ((x.name, x.value, x.origin) for x in card.understood))


def plan_summary(card: PlanCard) -> str:
    """What a plan comes to in a few lines, for where the whole plan stands beside: its hash, or what is open."""
    parts = []
    if card.problem is not None:
        parts.append(f"**That cannot be planned:** {problem_text(card.problem)}")
    parts += [f"**Open:** {_question(q.field, q.question, q.suggestion)}" for q in card.questions]
    if card.plan_hash:
        trials = f": {_trials(card.trials)}{_expected(card)}" if card.trials else ""
        parts.append(f"Plan `{card.plan_hash[:HASH_SHOWN]}`{trials}.")
    if card.changed:
        parts.append(f"Changed: {escaped('; '.join(map(_change, card.changed)))}.")
    if card.not_obeyed:
        parts.append(f"Not obeyed or not understood:\n\n{_bullets(map(_not_obeyed, card.not_obeyed))}")
    return _joined(*parts) or "The plan is not ready."


def _not_obeyed(part: str) -> str:
    """The user's words, and behind them the reason, if one was told."""
    words, colon, reason = part.partition(": ")
    return escaped(quoted(words, 80) + (f": {short(reason, 240)}" if colon else ""))


def _question(field: str, question: str, suggestion: str | None) -> str:
    words = f"{escaped(question, 400)} ({escaped(field)})"
    return f"{words} Suggestion: {escaped(quoted(suggestion, 100))}; say yes to take it." if suggestion else words


def _change(line: Line) -> str:
    return f"{line.name.rpartition('.')[2].replace('_', ' ')} {line.value} (was {line.origin})"


def _expected(card: PlanCard) -> str:
    if card.seconds_p50 is None or card.seconds_p90 is None:
        return ""
    return f", about {duration(card.seconds_p50)} (nine times in ten under {duration(card.seconds_p90)})"


def _takes(card: PlanCard) -> Iterable[tuple[str, str]]:
    if card.seconds_p50 is not None:
        each = f"; {duration(card.seconds_per_trial)} a trial" if card.seconds_per_trial is not None else ""
        yield "time", f"{_expected(card).removeprefix(', ')}, on {card.device}{each}"
    if card.peak_memory_mb is not None and card.adapter_mb is not None:
        place = "GPU memory" if card.device == "cuda" else "memory"
        yield "space", f"{card.peak_memory_mb / 1024:.1f} GB {place}, adapter up to {card.adapter_mb:.1f} MB"
    if card.llm_tokens:
        price = "price unknown" if card.llm_usd is None else f"${card.llm_usd:.2f}"
        yield "planner LLM", f"at most {card.llm_tokens:,} tokens ({price})"
    if card.basis:
        yield "basis", card.basis


@words_of.register
def study_text(card: StudyCard) -> str:
    """Where a study stands, what it found, what it has spent."""
    lost = [f"{n} {word}" for n, word in ((card.trials_failed, "failed"), (card.trials_pruned, "stopped early")) if n]
    head = f"**Study {card.study}** is {card.state_words}: {card.trials_over} of {_trials(card.trials_limit)} over"
    odd = f" ({', '.join(lost)})" if lost else ""
    fresh = f", {card.confirm_over} runs on fresh seeds" if card.confirm_over else ""
    facts = [
        f"request: {quoted(card.request, 240)}",
        _so_far(card) if card.result is None else "",
        *_running(card),
        f"process {card.running_pid}" if card.running_pid is not None else "",
        _used(card),
        f"Error: {quoted(card.error, 240)}" if card.error else "",
        "Nobody runs it; resume it to go on." if card.over and card.result is None else "",
    ]
    return _joined(
        f"{head}{odd}{fresh}.",
        _bullets(escaped(fact) for fact in facts if fact),
        _result(card.result, card.metric) if card.result else "",
        f"Report: {code(f'{card.report_dir}/report.html')}, adapter: {code(card.adapter_dir or '')}"
        if card.report_dir
        else "",
    )


def _so_far(card: StudyCard) -> str:
    if card.best is None:
        return ""
    if card.best.trial == 0:
        return f"The default is the best so far with {card.metric} {number(card.best.score)} on validation rows."
    against = f", the default {number(card.default)}" if card.default is not None else ""
    best = f"Best {card.metric} so far {number(card.best.score)} (trial {card.best.trial}){against}, on validation rows"
    return f"{best}; with {config_line(card.best.config)}"


def _running(card: StudyCard) -> Iterable[str]:
    for run in card.running:
        loss = f", loss {number(run.loss)}" if run.loss is not None else ""
        step = f"runs, step {run.step} of {run.total_steps}{loss}" if run.total_steps else "starts"
        yield f"Trial {run.trial} ({run.phase}) {step}."


def _used(card: StudyCard) -> str:
    limit = f" of {duration(card.seconds_limit)}" if card.seconds_limit else ""
    llm = f", {card.llm_tokens:,} LLM tokens" if card.llm_tokens else ""
    left = ""
    if card.seconds_left_p50 is not None and card.running_pid is not None and card.state_words != "stopping":
        near = card.seconds_left_p50 >= 1
        left = f", about {duration(card.seconds_left_p50)} to go" if near else ", longer than expected"
    return f"{duration(card.seconds_used)}{limit} used{llm}{left}."


def _result(result: Result, metric: str) -> str:
    rows = [
        ("best", number(result.best_test), span(result.best_ci95)),
        ("default", number(result.default_test), span(result.default_ci95)),
    ]
    if result.gain is not None:
        rows.append(("gain", signed(result.gain), span(result.gain_ci95)))
    return _joined(
        f"**{escaped(result.verdict)}**",
        table(("", f"{escaped(metric)} on {result.test_rows:,} test rows", "95 % interval"), rows),
        f"Best configuration: {escaped(config_line(result.best_config))}.",
    )


def studies_text(cards: Sequence[StudyCard]) -> str:
    """Studies, one a row."""
    return studies_list_text(StudyList(studies=tuple(map(StudyLine.of, cards)), more=False))


@words_of.register
def studies_list_text(card: StudyList) -> str:
    """Studies, one a row."""
    rows = (
        (
            line.study,
            line.state_words,
            f"{line.trials_used}/{line.trials_limit}",
            number(line.best),
            number(line.default),
            quoted(line.request, 48),
        )
        for line in card.studies
    )
    return _joined(
        _rows(("study", "state", "trials", "best", "default", "request"), rows) or "There is no study yet.",
        "There are older ones." if card.more else "",
    )


@words_of.register
def event_text(event: StudyEvent) -> str:
    """An event in a sentence, as Markdown."""
    return escaped(event_sentence(event))


@words_of.register
def events_text(card: EventPage) -> str:
    """A page of events, one a line with number and time in UTC, and how to get the next."""
    more = "there are more now" if card.more else "nothing more will come" if card.over else "no more yet"
    head = f"{len(card.events)} events of study {card.study}, times in UTC; {more}. Next: after={card.after}"
    return _joined(head, _bullets(f"#{event.seq} {event.at[11:19]} {event_text(event)}" for event in card.events))


def trials_text(cards: Sequence[TrialCard], metric: str, default_config: Config) -> str:
    """Trials, one a row, by what differs from the default configuration."""
    rows = (
        (c.trial, c.phase, c.source, _outcome(c), duration(c.seconds), _unlike(c.config, default_config)) for c in cards
    )
    header = ("trial", "phase", "from", escaped(metric), "time", "unlike the default")
    if not cards:
        return "There is no trial yet."
    return _joined(_rows(header, rows), f"The default: {escaped(config_line(default_config))}.")


@words_of.register
def trial_page_text(card: TrialPage) -> str:
    """Trials of a study, one a row, and how to get the next."""
    head = f"{len(card.trials)} trials of study {card.study}."
    more = f" There are more: after={card.after}" if card.more else ""
    return _joined(head + more, trials_text(card.trials, card.metric, card.default))


def _outcome(card: TrialCard) -> str:
    if card.score is not None:
        return number(card.score)
    state = str(card.state).lower()
    return f"{state} ({card.reason})" if card.reason else state


def _unlike(config: Config, default: Config) -> str:
    return config_line({k: v for k, v in config.items() if default.get(k) != v}) or "the default"


@words_of.register
def explanation_text(card: Explanation) -> str:
    """Why a trial has its configuration, and how it turned out."""
    spread = f" ± {number(card.predicted_sd)}" if card.predicted_sd is not None else ""
    costs = ", ".join(f"{name} {value:g}" for name, value in (card.costs or {}).items())
    llm = f"LLM: {card.llm_model}, prompt {card.llm_prompt_name} (sha256 {(card.llm_prompt_sha256 or '')[:HASH_SHOWN]})"
    facts = [
        f"proposed by {card.proposed_by}{f': {quoted(card.why, 480)}' if card.why else ''}",
        f"differs from the default in: {_changes(card.differs_from_default)}"
        if card.differs_from_default
        else "it is the default configuration",
        f"configuration: {config_line(card.config)}",
        f"predicted {number(card.predicted_mean)}{spread}" if card.predicted_mean is not None else "",
        f"the default scored {number(card.default_scored)}" if card.default_scored is not None and card.trial else "",
        f"costs: {costs}" if costs else "",
        *(f"deviation: {quoted(deviation, 240)}" for deviation in card.deviations),
        f"learning curve: {card.curve_words}" if card.curve_words else "",
        llm if card.llm_model else "",
    ]
    phase = f" ({card.phase})" if card.phase is not Phase.SEARCH else ""
    head = f"**Trial {card.trial}** of study {card.study}{phase} {escaped(_came_to(card))}."
    return _joined(head, _bullets(escaped(fact) for fact in facts if fact))


@words_of.register
def trial_explanation_text(card: TrialExplanation) -> str:
    """The same, and where a hyperparameter stands among what was searched and tried."""
    return _joined(explanation_text(card), _parameter(card.parameter) if card.parameter else "")


def _parameter(view: ParameterView) -> str:
    stands = (
        f"{view.name} is {scalar(view.value)} here; the default is {scalar(view.default)}; searched: {view.searched}"
    )
    tried = ", ".join(f"{scalar(t.value)} → {number(t.score)} (trial {t.trial})" for t in view.tried)
    return _bullets(escaped(fact) for fact in (stands, f"tried so far, best first: {tried}" if tried else "") if fact)


def _came_to(card: Explanation) -> str:
    if card.outcome is not None:
        return f"{card.outcome_words} ({card.metric}, validation rows)"
    return f"is {card.outcome_words}" if card.state in (TrialState.WAITING, TrialState.RUNNING) else card.outcome_words


def _changes(changes: Iterable[Change]) -> str:
    return ", ".join(f"{c.name} {c.value} ({c.other})" for c in changes)


@words_of.register
def comparison_text(card: Comparison) -> str:
    """Two configurations beside each other."""
    rows = [(card.left_name, number(card.left)), (card.right_name, number(card.right))]
    if card.difference is not None:
        interval = f" (95 % interval {signed(card.ci95[0])} to {signed(card.ci95[1])})" if card.ci95 else ""
        p_value = f", p = {card.p_value:.3g}" if card.p_value is not None else ""
        rows.append(("difference", f"{signed(card.difference)}{interval}{p_value}"))
    changes = ", ".join(f"{c.name} {c.value} against {c.other}" for c in card.changes)
    return _joined(
        f"Study {card.study}: {escaped(card.verdict)}",
        table(("", f"{escaped(card.metric)} ({card.direction})"), rows),
        f"Basis: {escaped(card.basis)}.",
        f"They differ in: {escaped(changes)}." if changes else "They are the same configuration.",
    )


@words_of.register
def budget_text(card: BudgetCard) -> str:
    """What a study has spent of what it may spend, in a line."""
    seconds = f" of {duration(card.seconds_limit)}" if card.seconds_limit is not None else ""
    tokens = f" of {card.llm_tokens_limit:,}" if card.llm_tokens_limit else ""
    usd = f" of ${card.llm_usd_limit:.2f}" if card.llm_usd_limit is not None else ""
    return (
        f"Study {card.study} has used {card.trials_used} of {_trials(card.trials_limit)}, "
        f"{duration(card.seconds_used)}{seconds}, {card.llm_tokens_used:,}{tokens} LLM tokens, "
        f"${card.llm_usd_used:.2f}{usd}."
    )


@words_of.register
def budget_standing_text(card: BudgetStanding) -> str:
    """The same, and how much longer it is expected to take."""
    left = card.seconds_left_p50
    going = "" if left is None else f"About {duration(left)} to go." if left >= 1 else "It takes longer than expected."
    return _joined(f"{budget_text(card)} It is {card.state_words}.", going)


@words_of.register
def report_text(card: ReportCard) -> str:
    """What a finished study found, and where its report and its adapter are."""
    files = ", ".join(name for name in card.files if "/" not in name)
    return _joined(
        f"**Study {card.study}** is done.",
        _result(card.result, "score"),
        f"Adapter: {code(card.adapter_dir)}. Report: {code(card.directory)} ({escaped(files)})",
        f"Classes confused with each other: {code(f'{card.directory}/{CONFUSION}')}" if CONFUSION in card.files else "",
        f"Ask it: {code(f'tunewright generate {card.adapter_dir} TEXT')}; its `README.md` has the lines for Python.",
    )


@words_of.register
def evaluation_text(card: Evaluation) -> str:
    """A score with its interval, and what it was measured on."""
    others = ", ".join(f"{name} {number(value)}" for name, value in card.others.items())
    score = f"**{escaped(card.metric)} {number(card.score)}** (95 % interval {span(card.ci95)})"
    columns = ", ".join(f"{role} {quoted(column)}" for role, column in card.columns if column)
    return (
        f"{score} on {card.n_rows:,} rows of {escaped(card.data, 120)}, in {duration(card.seconds)}."
        + (f" Columns: {escaped(columns)}." if columns else "")
        + (f" Also: {escaped(others)}." if others else "")
    )


@words_of.register
def answer_text(card: Answer) -> str:
    """What a tuned model says: its text, or the most probable classes."""
    if not card.probabilities:
        return f"The model says:\n\n> {escaped(quoted(card.text, 3000))}"
    top = sorted(card.probabilities.items(), key=lambda item: -item[1])[:5]
    shares = _bullets(escaped(f"{quoted(name)} {share:.1%}") for name, share in top)
    return _joined(f"The model says {escaped(quoted(card.text))}:", shares)


@words_of.register
def exported_text(card: Exported) -> str:
    """Where the model was written."""
    kind = "The merged model" if card.merged else "The adapter"
    return f"{kind} is in {code(str(card.directory))} ({card.megabytes:g} MB)."


def _trials(number_of: int) -> str:
    return f"{number_of:,} trial{'' if number_of == 1 else 's'}"


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _bullets(parts: Iterable[str]) -> str:
    return "\n".join(f"- {part}" for part in parts)


def _rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, or nothing where it has no row."""
    cells = [tuple(row) for row in rows]
    return table(header, cells) if cells else ""
