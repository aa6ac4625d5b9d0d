"""What the optimiser knows, in a few lines of words and numbers for the planner LLM: where it is good, what matters,
where trials fail, and what would be tried next. About 250 tokens whatever the number of trials."""

from collections import Counter
from collections.abc import Sequence

from agent.study.nouns import History, Trial
from prompts.history import number_text
from trainers.space import Space, is_ordered, unit
from trainers.spec import Config

MIN_FOR_REGIONS, MIN_FOR_IMPORTANCE = 4, 8
"""Scored trials from which a line says more than the table itself."""

MIN_FAILURES = 2
MIN_FAILED_SHARE = 0.75
"""A boundary is told when this share of the trials beyond it failed."""

MAX_HINTS, MAX_BOUNDARIES, MAX_IMPORTANT = 3, 3, 4


def digest_lines(space: Space, history: History, hints: Sequence[Config] = ()) -> list[str]:
    """Regions, importance, failure boundaries and the optimiser's next suggestions; empty while nothing is known."""
    lines = [*region_lines(space, history), *importance_lines(space, history), *failure_lines(space, history)]
    for config in [config for config in hints if not space.problems(config)][:MAX_HINTS]:
        values = ", ".join(f"{n}={number_text(config[n])}" for n in space.free if n in config)
        lines.append(f"the optimiser would try next: {values}")
    return lines


def region_lines(space: Space, history: History) -> list[str]:
    """Per hyperparameter the middle 80 % of the best quarter; choices with their counts."""
    scored = _best_first(space, history)
    if len(scored) < MIN_FOR_REGIONS:
        return []
    good = scored[: max(2, len(scored) // 4)]
    spans = [f"{name} {span}" for name in space.free if (span := _span(space, name, good))]
    return [f"best {len(good)} of {len(scored)} trials: {'; '.join(spans)}"] if spans else []


def _span(space: Space, name: str, trials: Sequence[Trial]) -> str:
    values = [t.config[name] for t in trials if name in t.config]
    if not values:
        return ""
    if is_ordered(space.parameters[name]):
        ordered = sorted(values, key=lambda v: unit(space.parameters[name], v))
        tail = int(0.1 * len(ordered))
        low, high = number_text(ordered[tail]), number_text(ordered[-1 - tail])
        return low if low == high else f"{low} to {high}"
    return " ".join(f"{word} x{n}" for word, n in Counter(number_text(v) for v in values).most_common(3))


def importance_lines(space: Space, history: History) -> list[str]:
    """Rank correlation of each ordered hyperparameter with the score (+ means higher is better), strongest first."""
    scored = _best_first(space, history)
    if len(scored) < MIN_FOR_IMPORTANCE:
        return []
    correlations: list[tuple[float, str]] = []
    for name in space.free:
        trials = [t for t in scored if name in t.config]
        if is_ordered(space.parameters[name]) and len(trials) >= MIN_FOR_IMPORTANCE:
            places = [unit(space.parameters[name], t.config[name]) for t in trials]
            correlations.append((-_rank_correlation(places), name))  # trials come best first
    strongest = sorted(correlations, key=lambda pair: -abs(pair[0]))[:MAX_IMPORTANT]
    words = [f"{name} {value:+.2f}" for value, name in strongest if abs(value) >= 0.2]
    return [f"correlation with a better score: {', '.join(words)}"] if words else []


def failure_lines(space: Space, history: History) -> list[str]:
    """Thresholds and choices beyond which trials fail, such as "5 of 5 trials with learning_rate >= 1e-3 failed"."""
    over = [t for t in (*history.complete, *history.failed) if not space.problems(t.config)]
    if sum(t.score is None for t in over) < MIN_FAILURES:
        return []
    boundaries = [line for name in space.free for line in _boundaries(space, name, over)]
    boundaries.sort(key=lambda pair: -pair[0])
    return [line for _, line in boundaries[:MAX_BOUNDARIES]]


def _boundaries(space: Space, name: str, over: Sequence[Trial]) -> list[tuple[float, str]]:
    """The best (gain, line) of one hyperparameter, if any; gain is failures explained less successes excluded."""
    trials = [t for t in over if name in t.config]
    parameter = space.parameters[name]
    values = sorted({t.config[name] for t in trials}, key=lambda v: unit(parameter, v))
    rules: list[tuple[str, list[Trial]]] = []
    for value in values:
        word = number_text(value)
        if is_ordered(parameter):
            place = unit(parameter, value)
            rules.append((f">= {word}", [t for t in trials if unit(parameter, t.config[name]) >= place]))
            rules.append((f"<= {word}", [t for t in trials if unit(parameter, t.config[name]) <= place]))
        else:
            rules.append((word, [t for t in trials if t.config[name] == value]))
    scored: list[tuple[float, str]] = []
    for rule, inside in rules:
        failed = [t for t in inside if t.score is None]
        others = [t for t in trials if t not in inside]
        if len(failed) < MIN_FAILURES or len(failed) < MIN_FAILED_SHARE * len(inside) or not others:
            continue
        reasons = Counter(str(t.reason) for t in failed).most_common(2)
        why = ", ".join(f"{reason} x{n}" for reason, n in reasons)
        outside = sum(t.score is None for t in others)
        line = f"{len(failed)} of {len(inside)} trials with {name} {rule} failed ({why}); {outside} of the other "
        gain = len(failed) - 2.0 * (len(inside) - len(failed)) - 0.5 * outside
        scored.append((gain, f"{line}{len(others)}"))
    return [max(scored)] if scored and max(scored)[0] > 0 else []


def _best_first(space: Space, history: History) -> list[Trial]:
    sign = history.direction.sign
    trials = [t for t in history.complete if t.score is not None and not space.problems(t.config)]
    return sorted(trials, key=lambda t: (-sign * (t.score or 0.0), t.number))


def _rank_correlation(values: Sequence[float]) -> float:
    """Spearman's correlation of `values` with their position in the sequence; 0 where all are equal."""
    from scipy.stats import spearmanr

    return float(spearmanr(values, range(len(values))).statistic) if len(set(values)) > 1 else 0.0
