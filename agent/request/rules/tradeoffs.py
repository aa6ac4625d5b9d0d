"""Which costs a request wants weighed against quality: "trade off accuracy against memory"."""

from agent.request.rules.claims import Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.spec import Tradeoff

_PHRASES = PHRASES["tradeoffs"]
_REACH = 100


def read_tradeoffs(reading: Reading) -> None:
    """Claim objective.tradeoffs from a word for compromises and the costs that follow in its sentence."""
    tradeoffs: set[Tradeoff] = set()
    spans: list[tuple[int, int]] = []
    for wish in reading.find_all(_PHRASES["asks"]):
        costs = [] if reading.follows(_PHRASES["not"], wish) else _costs_after(reading, wish.end())
        if costs:
            tradeoffs |= {cost for cost, _ in costs}
            spans += [wish.span(), *(span for _, span in costs)]
    if not tradeoffs:
        return
    words = min(spans)[0], max(end for _, end in spans)
    reading.claim("objective.tradeoffs", tuple(cost for cost in Tradeoff if cost in tradeoffs), words, consume=False)
    for span in spans:  # not what lies between: it may name the metric
        reading.text.consume(*span)


def _costs_after(reading: Reading, start: int) -> list[tuple[Tradeoff, tuple[int, int]]]:
    left = reading.text.left[: start + _REACH]
    stop = regex(_PHRASES["end"]).search(left, start)
    left = left[: stop.start()] if stop else left
    return [
        (cost, match.span())
        for cost, words in WORDS.tradeoffs.items()
        for match in regex(rf"(?<!\w){words}(?!\w)").finditer(left, start)
        if not reading.precedes(_PHRASES["limit"], match)
    ]
