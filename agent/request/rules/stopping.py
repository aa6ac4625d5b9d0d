"""Whether trials that look hopeless may be stopped early, as a request says it."""

from agent.request.rules.claims import Reading

_TRIALS = r"(?:trials?|runs?|ones?|configs?|configurations?|experiments?|candidates?)"
_THE = r"(?:the |an? |any |all |my |our |of |them |these |those )*"
_BAD = (
    r"(?:hopeless|bad|poor|unpromising|weak|weaker|losing|lagging|lost|failing|doomed|useless|clearly worse|worst|"
    r"worse)"
)
_STOPPING = (
    r"(?:stop|end|kill|abort|cut(?: off)?|prune|terminate|interrupt|drop|give up(?: on)?|stopping|ending|killing|"
    r"aborting|cutting(?: off)?|pruning|terminating|interrupting|dropping)"
)
_NO = (
    r"(?:no|without|not|never|don't|dont|do not|doesn't|does not|disable|turn off|switch off|deactivate|skip|avoid|"
    r"drop|remove|forbid) (?:(?:use|using|do|want|need|allow|enable|apply|ever|please|any|the) )*"
)
_SET = r"early[ _-]?stopping[\"']?\s*(?:[:=]\s*|(?:is |set to )?)"

_EVERY_TRIAL = (
    rf"(?:let|run|train|carry out|finish|complete) (?:all|every|each)(?: single)?(?: one)?(?: of)?(?: the| my| our)?"
    rf"(?: \w+)?(?: {_TRIALS})?(?: \w+)? (?:to (?:its|their|the|the very) end|to completion|"
    r"until (?:its|their|the) end|in full|fully|all the way)"
)
_NEVER = (
    rf"{_SET}(?:false|off|no|none|disabled)|--no-early-stopping|"
    rf"{_NO}(?:early[ _-]?stopping|pruning|prune)(?: {_THE}{_TRIALS})?|"
    rf"{_NO}{_STOPPING} {_THE}(?:{_BAD} )?(?:{_TRIALS} )?(?:too )?early"
)
_ALLOWED = (
    rf"{_SET}(?:true|on|yes|enabled)|--early-stopping|"
    rf"{_STOPPING} {_THE}{_BAD} {_TRIALS}(?: early| soon| quickly)?|{_STOPPING} {_THE}{_TRIALS} early|"
    rf"prun(?:e|ing) {_THE}(?:{_BAD} )?{_TRIALS}|"
    r"(?:(?:with|use|using|enable|allow|turn on|switch on|do|want) )?early[ _-]stopping"
)
_WHEN = (
    r"\W*(?:(?:the |this |that )?(?:search|study|training)?\W*(?:at(?! (?:most|least))|once|when|as soon as|if|after|"
    r"until)(?!\w)|(?:with )?(?:a )?patience|of \d|\d|false|off)"
)
"""After "early stopping" or "stop early": a target score, or patience in epochs."""
_PATIENCE = (
    r"early[ _-]stopping\W*(?:with |and )*(?:a )?patience"
    r"(?: (?:of |is )?\d+(?: (?:epochs?|steps|evaluations))?)?"
)


def read_early_stopping(reading: Reading) -> None:
    """Claim budget.early_stopping: words against it first, as they hold the words for it."""
    reading.skip(_PATIENCE)
    for match in reading.find_all(_EVERY_TRIAL):  # not consumed: "run all 12 trials to the end" also says how many
        reading.claim("budget.early_stopping", False, match, consume=False)
    for match in reading.find_all(_NEVER):
        reading.claim("budget.early_stopping", False, match)
    for match in reading.find_all(_ALLOWED):
        if not reading.precedes(_WHEN, match):
            reading.claim("budget.early_stopping", True, match)
