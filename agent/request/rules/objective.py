"""What a request wants optimised: metric, direction and target."""

import re

from agent.request.draft import Question
from agent.request.rules.amounts import NUMBER, number
from agent.request.rules.claims import Claim, Reading
from agent.request.rules.vocabulary import METRICS
from trainers.spec import Direction, Metric

_UP = (
    r"(?:maximi[sz](?:e|es|ing|ed|ation)|highest|best|max(?:imum|imal)?|greatest|top|increase|"
    r"raise|boost|higher|as high as possible)"
)
_DOWN = (
    r"(?:minimi[sz](?:e|es|ing|ed|ation)|lowest|min(?:imum|imal)?|smallest|least|reduce|decrease|"
    r"lower|as low as possible)"
)
_REPORTED = (
    r"(?:report|also (?:report|log|track|show)|track|log|monitor|print|show|in addition|alongside|"
    r"watch)(?:ing)?(?: me)?(?: the)?(?: also)?\s*$"
)
_F1 = r"f-?1(?:[- ]?score)?|f1-measure|f-score"
_PLAIN_LOSS = r"loss(?:es)?"
_REACH = (
    r"(?:at least|at most|reach(?:es|ed|ing)?|hit(?:s|ting)?|of at least|of|above|over|below|"
    r"under|exceed(?:s|ing)?|>=?|≥|<=?|≤|"
    r"target(?:s|ing|ed)?|goal(?: of| is)?|to|is|gets? to|stop(?:s|ping)? (?:at|once|when|"
    r"as soon as)|better than|beats?|=|:|or better|drops? (?:to|below|under)|"
    r"falls? (?:to|below|under)|until|get|achieve|need|want|aim(?:ing)? (?:for|at)|more than|"
    r"less than|no less than|no more than|minimum(?: of)?|passes|"
    r"crosses|is at|score of|for|a|an|once|when|as soon as|the|it|we|validation|val|with)"
)
_WISHED = r"(?<!\w)(?:target|goal|reach|achieve|hit|stop at|at least)(?: (?:an?|the|of|validation|is|macro))*\W*$"
"""Such words before a metric make a bare number after it the target: "target accuracy 95"."""
_LEAST_PERCENTAGE = {Metric.BLEU: 2, Metric.ROUGE_L: 2}
"""Above it, a target without a sign is a percentage: 95 is 95 %, but 1.5 is a slip. BLEU and ROUGE are usually given
from 0 to 100, where low values are plausible."""
_FRACTION = tuple(m for m in Metric if m not in (Metric.EVAL_LOSS, Metric.PERPLEXITY))


def read_objective(reading: Reading) -> None:
    """Claim objective.metric, objective.direction and objective.target."""
    found = _metrics(reading)
    for metric, start, end in found:
        reading.claim("objective.metric", metric, start, end)
    _keep_main(reading)
    claims = [c for c in reading.claims if c.field == "objective.metric"]
    for claim in claims:
        _read_target(reading, claim)
        _read_direction(reading, claim)
    if not reading.has("objective.target"):
        _read_bare_target(reading, claims)


def _metrics(reading: Reading) -> list[tuple[Metric, int, int]]:
    found = []
    for metric, words in METRICS.items():
        for match in reading.find_all(words):
            if match.group() == "em" and reading.text.cased[match.start() : match.end()] != "EM":
                continue  # a common word in Portuguese
            found.append((metric, *match.span()))
            reading.text.consume(*match.span())
    for match in reading.find_all(_F1):
        found.append((Metric.F1_MACRO, *match.span()))
        reading.text.consume(*match.span())
    if not found:
        wanted = rf"(?:{_DOWN}|{_UP}|metric(?: is|:)?|optimi[sz]e(?: for)?|by|select on)(?: (?:the|its|on))*\s*$"
        losses = reading.find_all(_PLAIN_LOSS)
        found += [(Metric.EVAL_LOSS, *m.span()) for m in losses if re.search(wanted, reading.before(m.start()))]
    return sorted(found, key=lambda item: item[1])


def _keep_main(reading: Reading) -> None:
    """Leave out metrics that are only to be reported when another one is to be optimised."""
    claims = [c for c in reading.claims if c.field == "objective.metric"]
    if len({c.value for c in claims}) < 2:
        return
    side = [c for c in claims if _only_reported(reading, c)]
    if 0 < len(side) < len(claims):
        reading.claims = [c for c in reading.claims if c not in side]
        return
    wanted = [
        c
        for c in claims
        if re.search(
            rf"(?:{_UP}|{_DOWN}|optimi[sz]e(?: for)?|metric(?: to optimi[sz]e)?(?: is|:)?|"
            r"select(?:ed)? (?:on|by))(?: (?:the|on|validation))*\s*$",
            reading.before(c.start),
        )
    ]
    if len(wanted) == 1:
        reading.claims = [c for c in reading.claims if c in wanted or c.field != "objective.metric"]


def _only_reported(reading: Reading, claim: Claim) -> bool:
    after = reading.text.clean[claim.end : claim.end + 20]
    return bool(
        re.search(_REPORTED, reading.before(claim.start))
        or re.match(r"\s*(?:too|as well|for information|is secondary)\b", after)
    )


def _read_direction(reading: Reading, claim: Claim) -> None:
    before = reading.before(claim.start, 48)
    words = re.search(rf"(?<![\w-])(?P<up>{_UP})(?![\w-])[^,;]*$|(?<![\w-])(?P<down>{_DOWN})(?![\w-])[^,;]*$", before)
    start = claim.start - len(before) + words.start() if words else 0
    if words is None:
        after = re.match(
            rf"\s*(?:is |as |should be |must be )*(?P<up>{_UP})(?!\w)|\s*(?:is |as |"
            rf"should be )*(?P<down>{_DOWN})(?!\w)",
            reading.text.clean[claim.end :],
        )
        words, start = after, claim.end
    if words is None:
        return
    metric = Metric(str(claim.value))
    word = words["up"] or words["down"]
    said = Direction.MAXIMIZE if words["up"] else Direction.MINIMIZE
    if word in ("best", "top"):
        said = metric.direction
    at = start + words.group().index(word)
    if said is metric.direction:
        first, last = min(at, claim.start), max(at + len(word), claim.end)
        reading.claim("objective.direction", said, first, last, consume=False)
    elif word.startswith(("maxim", "minim", "highest", "lowest")) and not reading.text.clean[at:].startswith(
        ("minimum of", "maximum of")
    ):
        better = "higher" if metric.direction is Direction.MAXIMIZE else "lower"
        quote = reading.text.quote(min(at, claim.start), max(at + len(word), claim.end))
        reading.questions.append(
            Question(
                field="objective.direction",
                question=f'The request says "{quote}", but {metric} is better {better}. Which is meant?',
                suggestion=str(metric.direction),
            )
        )


def _read_target(reading: Reading, claim: Claim) -> None:
    """A number joined to the metric: "at least 0.9 accuracy", "accuracy above 90 %", "reach 85% F1"."""
    left = reading.text.left
    wished = re.search(_WISHED, reading.before(claim.start)) is not None
    bare = r"\d" if wished else r"0?\.\d|\d+\s?%"
    after = re.compile(
        r"[\s\x00]*(?:(?:score|on|the|validation|dev|val|set|data|part|"
        rf"split)\s+)*(?:(?:\s*{_REACH}\s*)+|\s+(?={bare}))\s*(?P<n>{NUMBER})\s*(?P<p>%|"
        r"percent)?(?![\w])"
    ).match(left, claim.end)
    if after and not re.match(r"\s*(?:trials?|runs?|hours?|h|minutes?|epochs?)(?!\w)", left[after.end() :]):
        _claim_target(reading, claim, after, claim.start, after.end())
        return
    window = left[max(0, claim.start - 40) : claim.start]
    before = re.search(
        rf"(?P<n>{NUMBER})\s*(?P<p>%|percent)?\s*(?:(?:on|in|for|the|validation|val|dev|test|or better|of)\s+)*$",
        window,
    )
    if before:
        offset = claim.start - len(window)
        _claim_target(reading, claim, before, offset + before.start(), claim.end)


def _read_bare_target(reading: Reading, claims: list[Claim]) -> None:
    """ "stop at 0.92", "target 0.9": the metric is named elsewhere or not at all."""
    match = reading.find(
        r"(?:stop(?:ping)?(?: the (?:search|study))?(?: early)?(?: (?:at|once|when|as soon as|"
        r"if))(?: (?:it|we|the score|the metric|validation|that))*(?: (?:reach(?:es)?|hits?|gets? to|"
        r"is|above|exceeds?|at))*|"
        rf"(?:target|goal|aim)(?: (?:is|of|score|value|for|at))*\s*[=:]?)\s*(?P<n>{NUMBER})\s*(?P<p>%|"
        r"percent)?(?!\s*[a-z])"
    )
    if match:
        claim = claims[-1] if claims else Claim("objective.metric", Metric.ACCURACY, match.start(), match.end())
        _claim_target(reading, claim, match, match.start(), match.end())


def _claim_target(reading: Reading, claim: Claim, match: re.Match[str], start: int, end: int) -> None:
    value, metric = number(match["n"]), Metric(str(claim.value))
    if metric in _FRACTION and (match["p"] or _LEAST_PERCENTAGE.get(metric, 25) < value <= 100):
        value /= 100
    reading.claim("objective.target", round(value, 10), start, end)
