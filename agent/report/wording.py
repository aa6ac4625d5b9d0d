"""Numbers and configurations in words, the same in every view of a report."""

from agent.report.model import Report, Side, TrialRow
from agent.request.markup import duration
from agent.study.nouns import Phase, TrialState
from trainers.spec import Config, Direction


def number(value: float | None) -> str:
    """A score with four decimals, or four significant digits from 100 on; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"


def signed(value: float) -> str:
    """The same with its sign."""
    return f"{value:+.4f}" if abs(value) < 100 else f"{value:+.4g}"


def span(ends: tuple[float, float] | None) -> str:
    """An interval as "0.7000 to 0.8000"."""
    return "–" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def plain(value: object) -> str:
    """A hyperparameter's value: 0.0002 as 2e-04 is not wanted, so up to four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def config_line(config: Config, names: tuple[str, ...] = ()) -> str:
    """ "learning_rate 0.002, lora_rank 16", of the named hyperparameters or all."""
    return ", ".join(f"{name} {plain(value)}" for name, value in config.items() if not names or name in names)


def mean_and_sd(side: Side) -> str:
    """ "0.7812 ± 0.0110 (3 seeds)"."""
    spread = side.validation
    n = len(spread.scores)
    sd = "" if spread.sd is None else f" ± {number(spread.sd)}"
    return "–" if spread.mean is None else f"{number(spread.mean)}{sd} ({n} seed{'s' * (n != 1)})"


def differences(report: Report) -> list[tuple[str, str, str]]:
    """(hyperparameter, default, best) where the two configurations differ."""
    default, best = report.default.config, report.best.config
    return [
        (name, plain(default.get(name, "not used")), plain(best.get(name, "not used")))
        for name in default | best
        if default.get(name) != best.get(name)
    ]


def ranked_search(report: Report) -> list[TrialRow]:
    """Search trials, the best first; those without a score last, by number."""
    sign = -report.direction.sign
    rows = [row for row in report.trial_rows if row.phase is Phase.SEARCH]
    return sorted(rows, key=lambda r: (r.state is not TrialState.COMPLETE, sign * (r.score or 0.0), r.number))


def outcome(row: TrialRow) -> str:
    """A trial's score, or why it has none."""
    if row.state is TrialState.PRUNED:
        return "pruned"
    return number(row.score) if row.score is not None else str(row.reason or row.state.lower())


def budget_lines(report: Report) -> list[tuple[str, str, str]]:
    """(what, used, limit) of everything that was spent or limited."""
    b = report.budget
    lines = [
        ("trials", str(b.trials_used), "no limit" if b.trials_limit is None else str(b.trials_limit)),
        ("time", duration(b.seconds_used), "no limit" if b.seconds_limit is None else duration(b.seconds_limit)),
    ]
    if b.gpu_seconds_used:
        lines.append(("GPU time", duration(b.gpu_seconds_used), "no limit"))
    if b.llm_tokens_used or b.llm_usd_used or b.llm_usd_limit is not None:
        limits = [f"{b.llm_tokens_limit:,} tokens"] if b.llm_tokens_limit else []
        limits += [] if b.llm_usd_limit is None else [f"${b.llm_usd_limit:.2f}"]
        spent = f"${b.llm_usd_used:.2f}" if b.llm_usd_used >= 0.1 else f"${b.llm_usd_used:.2g}"
        bad = f", {b.llm_replies_unusable} unusable replies" if b.llm_replies_unusable else ""
        lines.append(("planner LLM", f"{b.llm_tokens_used:,} tokens, {spent}{bad}", ", ".join(limits) or "no limit"))
    return lines


def trial_summary(report: Report) -> str:
    """ "12 search trials: 10 complete, 1 pruned, 1 failed; 2 duplicates avoided; 12 confirm trials"."""
    t = report.trials
    return (
        f"{t.complete + t.pruned + t.failed} search trials: {t.complete} complete, {t.pruned} pruned, "
        f"{t.failed} failed; {t.duplicates_avoided} duplicates avoided; {t.confirm} confirm trials"
    )


def comparison_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """(configuration, validation, test, interval) of the default and the best."""
    sides = [("default", report.default)] + ([] if report.best_is_default else [("best", report.best)])
    return [(name, mean_and_sd(s), number(s.test_score), span(s.ci95)) for name, s in sides]


def better(report: Report) -> str:
    """Which way the metric improves: "higher is better"."""
    return "higher is better" if report.direction is Direction.MAXIMIZE else "lower is better"


def notes(report: Report) -> list[str]:
    """Remarks, deviations, the flattery of the search score, and how often test was opened; one sentence each."""
    sentences = [*report.remarks, *report.deviations]
    if report.optimism is not None and report.search_best_score is not None:
        sign = report.direction.sign
        again = report.search_best_score - sign * report.optimism
        flatters = " The best of many trials tends to flatter." if report.optimism > 0 else ""
        sentences.append(
            f"The best single search score was {number(report.search_best_score)}; on fresh seeds the same "
            f"configuration reached {number(again)}.{flatters}"
        )
    times = "once" if report.test_openings == 1 else f"{report.test_openings} times"
    return [*sentences, f"The test split was opened {times}."]


def shortened(text: str, length: int) -> str:
    """`text` in at most `length` characters, the middle left out: ends tell long names apart."""
    keep = (length - 1) // 2
    return text if len(text) <= length else f"{text[: length - 1 - keep]}…{text[-keep:]}"
