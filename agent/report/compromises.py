"""Quality against costs as every view of a report tells it: which configurations, in which words."""

from agent.report.model import Compromise, Pareto, Report
from agent.report.wording import number
from agent.request.markup import duration
from trainers.spec import Tradeoff

MAX_ROWS = 8
"""A longer front is shown in part, evenly spread; all of it is in report.json and on the plot."""

COST_WORDS = {
    Tradeoff.TRAIN_SECONDS: "training time",
    Tradeoff.PEAK_MEMORY_MB: "peak memory",
    Tradeoff.ADAPTER_MB: "adapter size",
}

HEADER = ("#", "seeds", "training", "memory", "adapter")
"""Of `row`, between the metric and the mark."""


def compromises(report: Report) -> list[Compromise]:
    """What to show, best first; empty where there is nothing to choose.

    Where the search weighed costs: the front, with the default and the best in any case. Otherwise the best, and what
    trains faster without being worse than the default, next to both.
    """
    pareto = report.pareto
    if pareto is None:
        return []
    sign = report.direction.sign
    marked = [c for c in (*pareto.front, *pareto.others) if c.is_default or c.is_best]
    rows = list(pareto.front) if pareto.weighed else _cheaper(pareto, marked, sign)
    if not rows:
        return []
    by_trial = {c.trial_number: c for c in (*_spread(rows), *marked)}
    return sorted(by_trial.values(), key=lambda c: (-sign * c.quality, c.trial_number))


def _cheaper(pareto: Pareto, marked: list[Compromise], sign: float) -> list[Compromise]:
    seconds = next((c.costs.train_seconds for c in marked if c.is_best), None)
    quality = next((c.quality for c in marked if c.is_default), None)
    if seconds is None or quality is None:
        return []
    faster = [c for c in pareto.front if c.costs.train_seconds < seconds and not c.is_default]
    return [c for c in faster if sign * c.quality >= sign * quality]


def _spread(front: list[Compromise]) -> list[Compromise]:
    """At most `MAX_ROWS` of the front, both ends included."""
    if len(front) <= MAX_ROWS:
        return front
    return [front[round(i * (len(front) - 1) / (MAX_ROWS - 1))] for i in range(MAX_ROWS)]


def title(pareto: Pareto) -> str:
    """What `compromises` shows."""
    return "Quality against cost" if pareto.weighed else "Cheaper, and no worse than the default"


def row(c: Compromise) -> tuple[str, ...]:
    """("7", "0.7812", "3 fresh", "12 s", "812 MB", "0.61 MB", "handed back")."""
    mark = "handed back" if c.is_best else "default" if c.is_default else ""
    return (
        str(c.trial_number),
        number(c.quality),
        f"{c.n_seeds} fresh" if c.confirmed else str(c.n_seeds),
        duration(c.costs.train_seconds),
        f"{c.costs.peak_memory_mb:,.0f} MB",
        f"{c.costs.adapter_mb:.3g} MB",
        mark,
    )


def note(report: Report) -> str:
    """What the table rests on, in plain words."""
    pareto = report.pareto
    if pareto is None:
        return ""
    rows, front = compromises(report), {c.trial_number for c in pareto.front}
    total, words = len(front) + len(pareto.others), [COST_WORDS[c] for c in pareto.costs]
    sentences = ["The search went by quality alone and did not look for these."]
    if pareto.weighed:
        rest = "" if len(front) <= MAX_ROWS else f", {MAX_ROWS} of them shown"
        sentences = [
            f"{len(front)} of {total} configurations are on the front{rest}: no other is better "
            f"in {joined([str(report.metric), *words], 'or')} without being worse in another."
        ]
    if beaten := [c.trial_number for c in rows if c.trial_number not in front]:
        sentences.append(f"{_trials(beaten)} not among them, and shown for comparison.")
    if loose := [c.trial_number for c in rows if not c.confirmed]:
        sentences.append(f"{_trials(loose)} not confirmed on fresh seeds: such a score may be luck.")
    if Tradeoff.PEAK_MEMORY_MB in pareto.costs and report.environment.get("device") == "cpu":
        sentences.append("Memory is the worker's, which grows from trial to trial: compare it with care.")
    return " ".join(sentences)


def _trials(numbers: list[int]) -> str:
    """ "Trial 3 is", "Trials 3 and 7 are"."""
    return f"Trial {numbers[0]} is" if len(numbers) == 1 else f"Trials {joined([str(n) for n in numbers])} are"


def joined(words: list[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
