"""What a request wants optimised: metric, direction and target, and the costs to be weighed against it."""

import re

from agent.request.rules.amounts import number
from agent.request.rules.claims import Claim, Reading, Span
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.spec import Direction, Metric, Tradeoff

_PHRASES, _TRADEOFFS = PHRASES["objective"], PHRASES["tradeoffs"]
_LEAST_PERCENTAGE = {Metric.BLEU: 2, Metric.ROUGE_L: 2}
"""Above it, a target without a sign is a percentage: 95 is 95 %, but 1.5 is a slip. BLEU and ROUGE are usually given
from 0 to 100, where low values are plausible."""
_TRADEOFF_REACH = 100


def read_objective(reading: Reading) -> None:
    """Claim objective.metric, objective.direction and objective.target."""
    for metric, span in _metrics(reading):
        reading.claim("objective.metric", metric, span)
    _keep_main(reading)
    claims = reading.of("objective.metric")
    for claim in claims:
        _read_target(reading, claim)
        _read_direction(reading, claim)
    if not reading.has("objective.target") and (match := reading.find(_PHRASES["bare_target"])):
        metric = Metric(str(claims[-1].value)) if claims else Metric.ACCURACY
        _claim_target(reading, metric, match, match.span())


def _metrics(reading: Reading) -> list[tuple[Metric, Span]]:
    metrics: list[tuple[Metric, Span]] = []
    for metric, words in [*WORDS.metrics.items(), (Metric.F1_MACRO, _PHRASES["f1"])]:
        for match in reading.find_all(words):
            if match.group() == "em" and reading.text.name(match) != "EM":
                continue  # a common word in Portuguese
            metrics.append((metric, match.span()))
            reading.text.consume(*match.span())
    if not metrics:
        losses = reading.find_all(r"loss(?:es)?")
        metrics = [(Metric.EVAL_LOSS, m.span()) for m in losses if reading.follows(_PHRASES["wished_loss"], m)]
    return sorted(metrics, key=lambda item: item[1][0])


def _keep_main(reading: Reading) -> None:
    """Leave out metrics that are only to be reported when another one is to be optimised."""
    claims = reading.of("objective.metric")
    if len({c.value for c in claims}) < 2:
        return
    main = [c for c in claims if not _is_reported(reading, c)]
    if len(main) in (0, len(claims)):
        wishes = [c for c in claims if reading.follows(_PHRASES["wished_metric"], c.span)]
        main = wishes if len(wishes) == 1 else claims
    reading.claims = [c for c in reading.claims if c in main or c.field != "objective.metric"]


def _is_reported(reading: Reading, claim: Claim) -> bool:
    after = reading.text.clean[claim.end : claim.end + 20]
    apart = regex(r"\s*(?:too|as well|for information|is secondary)\b").match(after)
    return apart is not None or reading.follows(_PHRASES["reported"], claim.span)


def _read_direction(reading: Reading, claim: Claim) -> None:
    clean, metric = reading.text.clean, Metric(str(claim.value))
    before, wish = reading.before(claim.start, 48), rf"(?:(?P<maximize>{WORDS.higher})|(?P<minimize>{WORDS.lower}))"
    words, at = regex(rf"(?<![\w-]){wish}(?![\w-])[^,;]*$").search(before), claim.start - len(before)
    if words is None:
        verbs, at = r"\s*(?:is |as |should be |must be )*", claim.end
        words = regex(rf"{verbs}{wish}(?!\w)").match(clean[claim.end :])
    if words is None:
        return
    direction = Direction(str(words.lastgroup))
    word, at = words[direction], at + words.start(direction)
    span = min(at, claim.start), max(at + len(word), claim.end)
    if word in ("best", "top") or direction is metric.direction:
        reading.claim("objective.direction", metric.direction, span, consume=False)
    elif regex(r"(?:max|min)im(?!um of)|highest|lowest").match(clean, at):
        better = "higher" if metric.direction is Direction.MAXIMIZE else "lower"
        question = f'The request says "{reading.text.quote(*span)}", but {metric} is better {better}. Which is meant?'
        reading.ask("objective.direction", question, str(metric.direction))


def _read_target(reading: Reading, claim: Claim) -> None:
    """A number joined to the metric: "at least 0.9 accuracy", "accuracy above 90 %", "reach 85% F1"."""
    left, metric = reading.text.left, Metric(str(claim.value))
    bare = r"\d" if reading.follows(_PHRASES["wished_target"], claim.span) else r"0?\.\d|\d+\s?%"
    after = regex(
        rf"{_PHRASES['after']}(?:(?:\s*{WORDS.reached}\s*)+|\s+(?={bare}))\s*{_PHRASES['percent']}(?![\w])"
    ).match(left, claim.end)
    if after and not reading.precedes(r"\s*(?:trials?|runs?|hours?|h|minutes?|epochs?)(?!\w)", after):
        _claim_target(reading, metric, after, (claim.start, after.end()))
        return
    before = regex(_PHRASES["before"]).search(left[max(0, claim.start - 40) : claim.start])
    if before:
        _claim_target(reading, metric, before, (max(0, claim.start - 40) + before.start(), claim.end))


def _claim_target(reading: Reading, metric: Metric, match: re.Match[str], span: Span) -> None:
    value = number(match["n"])
    is_percentage = match["p"] or _LEAST_PERCENTAGE.get(metric, 25) < value <= 100
    if is_percentage and metric not in (Metric.EVAL_LOSS, Metric.PERPLEXITY):
        value /= 100
    reading.claim("objective.target", round(value, 10), span)


def read_tradeoffs(reading: Reading) -> None:
    """Claim objective.tradeoffs from a word for compromises and the costs that follow in its sentence."""
    tradeoffs: set[Tradeoff] = set()
    spans: list[Span] = []
    for wish in reading.find_all(_TRADEOFFS["asks"]):
        costs = [] if reading.follows(_TRADEOFFS["not"], wish) else _costs_after(reading, wish.end())
        if costs:
            tradeoffs |= {cost for cost, _ in costs}
            spans += [wish.span(), *(span for _, span in costs)]
    if not tradeoffs:
        return
    words = min(spans)[0], max(end for _, end in spans)
    reading.claim("objective.tradeoffs", tuple(cost for cost in Tradeoff if cost in tradeoffs), words, consume=False)
    for span in spans:  # not what lies between: it may name the metric
        reading.text.consume(*span)


def _costs_after(reading: Reading, start: int) -> list[tuple[Tradeoff, Span]]:
    left = reading.text.left[: start + _TRADEOFF_REACH]
    stop = regex(_TRADEOFFS["end"]).search(left, start)
    left = left[: stop.start()] if stop else left
    return [
        (cost, match.span())
        for cost, words in WORDS.tradeoffs.items()
        for match in regex(rf"(?<!\w){words}(?!\w)").finditer(left, start)
        if not reading.precedes(_TRADEOFFS["limit"], match)
    ]
