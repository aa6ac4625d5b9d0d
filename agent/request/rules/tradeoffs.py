"""Which costs a request wants weighed against quality: "trade off accuracy against memory"."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.text import Lazy
from trainers.spec import Tradeoff

_ASKS = (
    r"trad(?:e|ing)[ -]?offs?|pareto(?:[ -](?:fronts?|frontiers?|optimal|optimi[sz]e|set|curve))?|"
    r"multi[ -]?objective|compromises?|balanc(?:e|ing)|weigh(?:ing)?|"
    r"trad(?:e|ing)(?= [^.;\n]{3,30}? (?:off )?(?:against|for|versus|vs|with) )"
)
"""Words that ask for compromises; which, the costs after them tell."""

_COSTS = {
    Tradeoff.TRAIN_SECONDS: r"(?:gpu|train(?:ing)?|wall)[ -](?:time|seconds|hours|speed|cost)|train_seconds|"
    r"(?<![\w-])(?:speed|compute|duration|time)(?! (?:limit|budget|cap))",
    Tradeoff.PEAK_MEMORY_MB: r"(?:peak |gpu |video )*memory(?: use| usage| footprint)?|v?ram|peak_memory_mb",
    Tradeoff.ADAPTER_MB: r"size of the adapters?|(?:(?:adapter|file|model|checkpoint)[ -])?sizes?|adapter_mb",
}
_LIMIT = Lazy(r"\s*(?:[:=<≤]|(?:limit|cap|budget|below|under|of|is|at most|up to|max(?:imum)?)(?!\w)|\d)")
"""After a cost, such words make it a limit, not something to be weighed."""

_NOT = Lazy(
    r"(?:no|not|don't|do not|without|never|instead of|forget|drop)(?: (?:any|the|a|want|need|do|to|about))*\s*$"
)
_REACH = 100
_END = Lazy(r"[.;\n](?:\s|$)|(?<![\w-])\d|\x00")
"""Where what a wish for compromises speaks of ends: the sentence, a number, or words understood before."""


def read_tradeoffs(reading: Reading) -> None:
    """Claim objective.tradeoffs from a word for compromises and the costs that follow in its sentence."""
    wanted: list[Tradeoff] = []
    spans: list[tuple[int, int]] = []
    for asked in reading.find_all(_ASKS):
        if _NOT.search(reading.before(asked.start())):
            continue
        found = _costs_after(reading, asked.end())
        if found:
            wanted += [cost for cost, _, _ in found]
            spans += [asked.span(), *((start, end) for _, start, end in found)]
    if not wanted:
        return
    value = tuple(cost for cost in Tradeoff if cost in wanted)
    reading.claim("objective.tradeoffs", value, min(spans)[0], max(end for _, end in spans), consume=False)
    for span in spans:  # not what lies between: it may name the metric
        reading.text.consume(*span)


def _costs_after(reading: Reading, start: int) -> list[tuple[Tradeoff, int, int]]:
    left = reading.text.left[: start + _REACH]
    end = _END.search(left, start)
    left = left[: end.start()] if end else left
    return [
        (cost, *match.span())
        for cost, words in _COSTS.items()
        for match in re.finditer(rf"(?<!\w)(?:{words})(?!\w)", left)
        if match.start() >= start and not _LIMIT.match(reading.text.left[match.end() :])
    ]
