"""The task, the training method and the loss that a request names, and what it says it does not want."""

import re

from agent.request.rules.amounts import NUMBER
from agent.request.rules.claims import Reading
from agent.request.rules.stopping import read_early_stopping
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import WORDS
from agent.request.tasks import TASK_OF_ROLE, TASKS
from trainers.spec import TERMS, Adapter, Loss, Task

_PAST = (
    r"(?:last|previous|earlier|prior) (?:run|time|attempt|experiment|try|study|month|week|year)s?\b[^.!?;\n]*?"
    r"\b(?:took|got|gave|reached|was|had|scored|needed|failed|crashed|ran|cost|achieved|did)\b[^.!?;\n]*"
    r"(?:\.\d[^.!?;\n]*)*"
)
"""What happened before, told as background: its numbers are no wishes."""
_NOT_BUT = r"(?<!\w)not (?=[^,.;\n]{0,25}\d)(?!only|more|less|over|above)[^,;\n]{1,30}?(?=,? but\b)"
_OVERFITS = (
    r"(?:overfit\w*|diverge[sd]?|diverging|blows? up|blew up|collapse[sd]?|crash(?:es|ed)?|plateau\w*|ooms?|"
    r"runs? out of memory|degrade[sd]?|unstable)(?: \w+){0,3}? (?:after|at|with|for|beyond|above|around|when)"
    rf"[^,.;:\n]{{0,40}}?{NUMBER}(?: (?:epochs?|passes|gb|trials|steps|hours?|minutes?))?\w*"
)
_SENTENCE = r"(?:[^.!?;\n]|[.!?;](?=\S))+"
_F1 = r"f-?1(?:[- ]score)?"
_METRICS = "|".join(WORDS.metrics.values())
_TERM = "|".join(
    (
        *(words for adapter, words in WORDS.adapters.items() if adapter is not Adapter.FULL),
        *(_METRICS, *WORDS.losses.values(), *(kind.pattern for kind in TASKS.values()), _F1),
        r"dropout|warm-?up|weight decay|loss|adapters?|early stopping|quanti[sz]ation|cosine|linear",
    )
)
_NOT_GOOD = (
    rf"(?:{_METRICS}|{_F1})(?: alone)? (?:is|are|would be|seems?)(?: (?:a|an|not|really|too|very|the|such|so))*"
    r" (?:bad|poor|useless|misleading|wrong|meaningless|pointless|terrible|irrelevant|unimportant|secondary|overrated|"
    r"inadequate|inappropriate|unsuitable|deceptive|silly|"
    r"(?<=not )(?:that )?(?:important|useful|enough|interesting|relevant))(?!\w)"
)
_NOT = (
    r"(?<!/)(?:(?:do not|don't|dont|does not|doesn't) (?:care|worry|mind|bother)(?: much)?(?: about)?|"
    r"not|no|without|don't|dont|do not|doesn't|instead of|rather than|never|avoid|skip|"
    r"forget(?: about)?|isn't|nor|neither|in place of|(?:anything|everything|all) but|except(?: for)?)\s+"
    r"(?:(?:use|using|do|want|need|the|a|an|any|by|on|for|optimi[sz]e|optimi[sz]ing|maximi[sz]e|plain|just|with|to|be|"
    r"about|it|is|as|apply|run|try|me|of)\s+)*"
)
_NOT_MERGED = (
    r"(?:do not|don't|dont|never|no|without|not)(?: (?:to|need|want|a|any|to be))*\s+merg(?:e|ed|ing)"
    r"(?: (?:the |it |in )?(?:adapter|weights|lora|it)?)?|unmerged|keep (?:the )?adapter (?:separate|unmerged)"
)
_MERGED = (
    r"merg(?:e|ed|ing)(?: (?:the |it |them |everything )?(?:final |best |lora )?"
    r"(?:adapter|weights|lora|model|result|checkpoint)?)?"
)
_LOSS = r"loss(?:[ _-](?:type|function|name|fn))?"
_LOSS_NAME = r"[a-z][\w+-]*"
_UNKNOWN_LOSS = (
    r"(?:(?<!train )(?<!training )(?<!test )(?<!final )(?<!the )(?<!my )(?<!our )"
    rf"(?P<set>{_LOSS}[\"']?\s*[:=]\s*[\"'`]?(?P<a>{_LOSS_NAME})[\"'`]?)"
    r"(?=[ \t]*(?:$|[.,;|)}\]\n\x00]|and\b|on\b|for\b|with\b|instead\b|please\b|[\w.]+\s*[=:])))|"
    r"(?:(?:^|(?<=[,;\n])|with|using|use|under)\s*(?:the |a |preference |dpo )*)"
    rf"(?P<stated>{_LOSS}(?: (?:is|called|named|must be|should be))?\s+[\"'`]?"
    rf"(?P<b>(?![a-z-]+(?:ed|ing)(?![\w-])){_LOSS_NAME})[\"'`]?)"
    r"(?=\s*(?:$|[.,;|)}\]\x00]|(?:and|on|for|with|instead|please|to|over|using|then|at)\b))|"
    rf"(?:with|using|use|under|by)\s+(?:the |a |an )?(?P<kind>[\"'`]?(?P<c>{_LOSS_NAME})[\"'`]? loss)(?! (?:of|in)\b)"
    r"(?P<function>[ -]function)?"
)
"""Words that state a loss by a name: "loss=foo", "with loss foo", "with the foo loss"."""


def read_negations(reading: Reading) -> None:
    """Mask what the request says it does not want, so that it is not read as wanted."""
    for pattern in (_PAST, _NOT_BUT, _OVERFITS):
        reading.skip(pattern)
    for match in regex(_SENTENCE).finditer(reading.text.left):  # what was, and wishes nothing
        is_past = regex(rf"(?<!\w){WORDS.past}(?!\w)").search(match.group())
        if is_past and not regex(rf"(?<![\w']){WORDS.wishes}(?![\w'])").search(match.group()):
            reading.text.consume(*match.span())
    read_early_stopping(reading)  # here, as "no early stopping" is a wish and no mere negation
    reading.skip(_NOT_GOOD)
    if merge := reading.find(_NOT_MERGED):
        reading.claim("output.merge", False, merge)
    for match in reading.find_all(WORDS.adapters[Adapter.FULL]):
        reading.claim("adapter", Adapter.FULL, match)
    others = rf"(?:\s*(?:,|or|and|nor|/)\s*(?:{_TERM}))*(?:\s+(?:loss|metric|score))?"
    reading.skip(rf"{_NOT}(?:{_TERM}){others}")


def read_methods(reading: Reading) -> None:
    """Claim loss, adapter and output.merge; a preference loss states its task too. An unknown loss is rejected."""
    for loss, words in WORDS.losses.items():
        for match in reading.find_all(words):
            if loss is Loss.HINGE and match.group() == "hinge" and not reading.find("loss|dpo|preference|pairs"):
                continue
            reading.claim("loss", loss, match)
            if loss not in (Loss.SIGMOID, Loss.HINGE) or regex("dpo|slic").search(match.group()):
                reading.claim("task", _task_of(loss), match, consume=False)
    if not reading.has("loss"):
        _reject_unknown_losses(reading)
    for adapter, words in WORDS.adapters.items():
        for match in reading.find_all(rf"{words}(?:[- ](?:adapters?|tun(?:e|ing)))?"):
            verb = match.group().endswith(("tune", "tuning"))
            reading.claim("adapter", adapter, match, consume=not verb)
    if merge := reading.find(_MERGED):
        reading.claim("output.merge", True, merge)


def _reject_unknown_losses(reading: Reading) -> None:
    """Reject a loss that is asked for by a name this program does not know.

    "The foo loss" counts only for preference tuning or as a loss function: elsewhere it may be a topic (hearing loss).
    """
    with_losses = [task for task in TASKS if TERMS[task].losses]
    pairs = any(claim.value in with_losses for claim in reading.of("task"))
    pairs = pairs or any(reading.find(TASKS[task].pattern) for task in with_losses)
    for match in reading.find_all(_UNKNOWN_LOSS):
        group, name = next((group, match[n]) for n, group in (("a", "set"), ("b", "stated"), ("c", "kind")) if match[n])
        if name not in WORDS.no_loss and (group != "kind" or pairs or match["function"]):
            rule = f"the loss must be one of {', '.join(Loss)}, which are for preference tuning"
            reading.reject("loss", match.span(group), rule)


def read_task(reading: Reading) -> None:
    """Claim the task from the words for it; a task already claimed by its columns or loss stands."""
    if reading.has("task"):
        return
    named: list[tuple[Task, re.Match[str]]] = []
    for task, kind in TASKS.items():
        if match := reading.find(kind.pattern):
            named.append((task, match))
            reading.text.consume(*match.span())
    for task, match in named:
        reading.claim("task", task, match)
    for role, task in TASK_OF_ROLE.items():
        if not named and reading.has(f"data.columns.{role}"):
            reading.infer("task", task, f"the request names a {role} column")


def _task_of(loss: Loss) -> Task:
    return next(task for task, terms in TERMS.items() if loss in terms.losses)
