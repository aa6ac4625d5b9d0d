"""The task, the training method and the loss that a request names, and what it says it does not want."""

import re

from agent.request.rules.amounts import NUMBER
from agent.request.rules.claims import Reading
from agent.request.rules.stopping import read_early_stopping
from agent.request.rules.text import Lazy
from agent.request.rules.vocabulary import ADAPTERS, LOSSES, METRICS, TASKS_STRONG
from trainers.spec import Adapter, Loss, Task

_PAST = Lazy(
    r"(?:last|previous|earlier|prior) (?:run|time|attempt|experiment|try|study|month|week|"
    r"year)s?\b[^.!?;\n]*?\b(?:took|got|gave|reached|was|had|"
    r"scored|needed|failed|crashed|ran|cost|achieved|did)\b[^.!?;\n]*(?:\.\d[^.!?;\n]*)*"
)
"""What happened before, told as background: its numbers are no wishes."""


_STORY = (
    r"(?:last (?:time|run|week|month|year|summer|night|attempt)|previous(?:ly)?|yesterday|in the past|back then|"
    r"used to|claim(?:s|ed|ing)?(?! that we need)|doubt|supposedly|allegedly|"
    r"years? ago|months? ago|weeks? ago|days? ago|already (?:tried|ran|trained|did)|(?:we|i|he|she|they|it|"
    r"colleagues?|interns?|predecessors?|team|someone|somebody|vendor|agency|student|consultants?|people) "
    r"(?:once |already |first |then |had |have |has |also |even )*"
    r"(?:tried|ran|trained|used|took|got|had|spent|paid|reached|burn(?:ed|t)|wasted|failed|saw|did|"
    r"overfit\w*|diverged|crashed)|i've (?:tried|seen|used|run)|we've (?:tried|used|run))"
)
_WISH = (
    r"(?:please|pls|(?<!nobody )(?<!one )wants?|need|needs|would|should|could|can you|must|let's|lets|let us|"
    r"like you|i'd|we'd|make|use|train a|"
    r"train on|tune|fine-?tune|classify|stop|target|budget|limit|at most|within|maximi[sz]e|minimi[sz]e|optimi[sz]e|"
    r"so (?:try|do|run)|try|take|give|run (?:a|the|some|\d)|this time|now|task|trials?:|seed|goal|don't|do not)"
)
_BACKGROUND = Lazy(rf"(?<!\w){_STORY}(?!\w)")
_WANTS = Lazy(rf"(?<![\w']){_WISH}(?![\w'])")
_SENTENCE = Lazy(r"(?:[^.!?;\n]|[.!?;](?=\S))+")
_OVERFITS = Lazy(
    rf"(?:overfit\w*|diverge[sd]?|diverging|blows? up|blew up|collapse[sd]?|crash(?:es|ed)?|plateau\w*|ooms?|"
    rf"runs? out of memory|"
    rf"degrade[sd]?|unstable)(?: \w+){{0,3}}? (?:after|at|with|for|beyond|above|around|when)[^,.;:\n]{{0,40}}?{NUMBER}"
    r"(?: (?:epochs?|passes|gb|trials|steps|hours?|minutes?))?"
)


def _skip_background(reading: Reading) -> None:
    """Pass over sentences that tell what was, and wish nothing: their numbers and names are no wishes."""
    for match in _OVERFITS.finditer(reading.text.left):
        reading.text.consume(*match.span())
    for match in _SENTENCE.finditer(reading.text.left):
        if _BACKGROUND.search(match.group()) and not _WANTS.search(match.group()):
            reading.text.consume(*match.span())


_BAD = (
    r" (?:bad|poor|useless|misleading|wrong|meaningless|pointless|terrible|irrelevant|unimportant|secondary|overrated|"
    r"inadequate|inappropriate|unsuitable|deceptive|silly|"
    r"(?<=not )(?:that )?(?:important|useful|enough|interesting|relevant))(?!\w)"
)
_NOT_BUT = Lazy(r"(?<!\w)not (?=[^,.;\n]{0,25}\d)(?!only|more|less|over|above)[^,;\n]{1,30}?(?=,? but\b)")


def read_negations(reading: Reading) -> None:
    """Mask what the request says it does not want, so that it is not read as wanted."""
    for match in [*_PAST.finditer(reading.text.left), *_NOT_BUT.finditer(reading.text.left)]:
        reading.text.consume(*match.span())
    _skip_background(reading)
    read_early_stopping(reading)  # here, as "no early stopping" is a wish and no mere negation
    metric = "|".join([*METRICS.values(), r"f-?1(?:[- ]score)?"])
    for match in reading.find_all(
        rf"(?:{metric})(?: alone)? (?:is|are|would be|seems?)(?: (?:a|an|not|really|too|very|the|such|so))*{_BAD}"
    ):
        reading.text.consume(*match.span())
    merge = reading.find(
        r"(?:do not|don't|dont|never|no|without|not)(?: (?:to|need|want|a|any|to be))*\s+merg(?:e|ed|"
        r"ing)(?: (?:the |it |in )?(?:adapter|weights|lora|it)?)?|unmerged|"
        r"keep (?:the )?adapter (?:separate|unmerged)"
    )
    if merge:
        reading.claim("output.merge", False, merge.start(), merge.end())
    for match in reading.find_all(ADAPTERS[Adapter.FULL]):
        reading.claim("adapter", Adapter.FULL, match.start(), match.end())
    wanted = [p for a, p in ADAPTERS.items() if a is not Adapter.FULL] + list(METRICS.values()) + list(LOSSES.values())
    term = (
        rf"(?:{'|'.join(wanted + list(TASKS_STRONG.values()))}|f-?1(?:[- ]score)?|dropout|warm-?up|"
        r"weight decay|loss|adapters?|early stopping|quanti[sz]ation|cosine|linear)"
    )
    filler = (
        r"(?:(?:use|using|do|want|need|the|a|an|any|by|on|for|optimi[sz]e|optimi[sz]ing|maximi[sz]e|"
        r"plain|just|with|to|be|about|it|is|as|apply|run|try|me|of)\s+)*"
    )
    negator = (
        r"(?:(?:do not|don't|dont|does not|doesn't) (?:care|worry|mind|bother)(?: much)?(?: about)?|"
        r"not|no|without|don't|dont|do not|doesn't|instead of|rather than|never|avoid|skip|"
        r"forget(?: about)?|isn't|nor|neither|in place of|(?:anything|everything|all) but|except(?: for)?)"
    )
    for match in reading.find_all(
        rf"(?<!/){negator}\s+{filler}{term}(?:\s*(?:,|or|and|nor|/)\s*(?:{term}))*(?:\s+(?:loss|metric|score))?"
    ):
        if not match.group().startswith("not only"):
            reading.text.consume(match.start(), match.end())


_LOSS = r"loss(?:[ _-](?:type|function|name|fn))?"
_LOSS_NAME = r"[a-z][\w+-]*"
_NO_LOSS_WORDS = (
    "a above across after an and any are as at auto balanced based be before below best better but by can class ce "
    "cross_entropy crossentropy cross-entropy curve curves default dev dpo during early eval eval_loss evaluation "
    "every falls final first for from high function functions history if in is it least less log logs low lower lowest "
    "mask max mean metric min minimal minimum must nan no none not null of on only or our over per plot plots please "
    "plain preference reaches same score sft small smallest standard test that the this to too total train training "
    "true under until usual val valid validation value values vs weight weights when while will with your"
)
_NO_LOSS = frozenset(_NO_LOSS_WORDS.split())
"""Words beside "loss" that name none."""
_UNKNOWN_LOSS = (
    r"(?:(?<!train )(?<!training )(?<!test )(?<!final )(?<!the )(?<!my )(?<!our )"
    rf"(?P<set>{_LOSS}[\"']?\s*[:=]\s*[\"'`]?(?P<a>{_LOSS_NAME})[\"'`]?)"
    r"(?=[ \t]*(?:$|[.,;|)}\]\n\x00]|and\b|on\b|for\b|with\b|instead\b|please\b|[\w.]+\s*[=:])))|"
    r"(?:(?:^|(?<=[,;\n])|with|using|use|under)\s*(?:the |a |preference |dpo )*)"
    rf"(?P<said>{_LOSS}(?: (?:is|called|named|must be|should be))?\s+[\"'`]?"
    rf"(?P<b>(?![a-z-]+(?:ed|ing)(?![\w-])){_LOSS_NAME})[\"'`]?)"
    r"(?=\s*(?:$|[.,;|)}\]\x00]|(?:and|on|for|with|instead|please|to|over|using|then|at)\b))|"
    rf"(?:with|using|use|under|by)\s+(?:the |a |an )?(?P<kind>[\"'`]?(?P<c>{_LOSS_NAME})[\"'`]? loss)(?! (?:of|in)\b)"
    r"(?P<function>[ -]function)?"
)
"""Words that state a loss by a name: "loss=foo", "with loss foo", "with the foo loss"."""


def _refuse_unknown_losses(reading: Reading) -> None:
    """Reject a loss that is asked for by a name this program does not know.

    "The foo loss" counts only for preference tuning or as a loss function: elsewhere it may be a topic (hearing loss).
    """
    if reading.has("loss"):
        return
    pairs = any(c.field == "task" and c.value is Task.PREFERENCE for c in reading.claims) or reading.find(
        TASKS_STRONG[Task.PREFERENCE]
    )
    for match in reading.find_all(_UNKNOWN_LOSS):
        group, name = next((group, match[n]) for n, group in (("a", "set"), ("b", "said"), ("c", "kind")) if match[n])
        if name in _NO_LOSS or (group == "kind" and not pairs and not match["function"]):
            continue
        rule = f"the loss must be one of {', '.join(Loss)}, which are for preference tuning"
        reading.refuse_value("loss", match.start(group), match.end(group), rule)


def read_methods(reading: Reading) -> None:
    """Claim loss, adapter and output.merge; a preference loss states its task too. An unknown loss is rejected."""
    for loss, words in LOSSES.items():
        for match in reading.find_all(words):
            if loss is Loss.HINGE and match.group() == "hinge" and not reading.find("loss|dpo|preference|pairs"):
                continue
            reading.claim("loss", loss, match.start(), match.end())
            if loss not in (Loss.SIGMOID, Loss.HINGE) or re.search("dpo|slic", match.group()):
                reading.claim("task", Task.PREFERENCE, match.start(), match.end(), consume=False)
    _refuse_unknown_losses(reading)
    for adapter, words in ADAPTERS.items():
        for match in reading.find_all(rf"(?:{words})(?:[- ](?:adapters?|tun(?:e|ing)))?"):
            verb = match.group().endswith(("tune", "tuning"))
            reading.claim("adapter", adapter, match.start(), match.end(), consume=not verb)
    if merge := reading.find(
        r"merg(?:e|ed|ing)(?: (?:the |it |them |everything )?(?:final |best |lora )?(?:adapter|"
        r"weights|lora|model|result|checkpoint)?)?"
    ):
        reading.claim("output.merge", True, merge.start(), merge.end())


def read_task(reading: Reading) -> None:
    """Claim the task from the words for it; a task already claimed by its columns or loss stands."""
    if reading.has("task"):
        return
    found: list[tuple[Task, re.Match[str]]] = []
    for task, words in TASKS_STRONG.items():
        if match := reading.find(words):
            found.append((task, match))
            reading.text.consume(*match.span())
    roles = {c.field.rpartition(".")[2]: c for c in reading.claims if c.field.startswith("data.columns.")}
    for task, role in (
        (Task.PREFERENCE, "rejected"),
        (Task.CLASSIFICATION, "label"),
        (Task.SFT, "completion"),
        (Task.SFT, "messages"),
    ):
        if role in roles and not found:
            reading.infer("task", task, f"the request names a {role} column")
    for task, match in found:
        reading.claim("task", task, match.start(), match.end())
