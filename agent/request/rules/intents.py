"""What a request wants done: train, plan, or something about an existing study; and what is out of scope."""

import re

from agent.request.draft import RefusalClass
from agent.request.rules.claims import Claim, Reading
from agent.request.rules.scope import CHORES, FORMATS, out_of_scope
from agent.request.rules.text import CJK
from agent.request.rules.vocabulary import ADAPTERS, LOSSES, METRICS, TASKS_STRONG, TRAIN_VERBS
from trainers.spec import Intent, Task

_POLITE = (
    r"^\W*(?:(?:please|pls|hey|hi|hello|ok|okay|so|now|then|and|can|could|would|will|you|i|we|"
    r"want|need|to|like|'d|i'd|let's|lets|just|kindly|"
    r"go ahead|quick(?:ly)?|question|there|thanks|me|us|tunewright)[\s,:!]+)*"
)

_THING = (
    r"(?:stud(?:y|ies)|job|run|search|sweep|trial|training|experiment|it|everything|tuning|all|"
    r"that|this|current|running|last|latest|my|the)"
)

_CONTROL: tuple[tuple[Intent, str], ...] = (
    (
        Intent.HELP,
        r"(?:help(?: me)?(?: please)?\W*$|help\b(?! (?:me )?(?:to )?(?:fine|train|tune|build|class))|"
        r"what (?:can|do) (?:you|i) |what (?:are|is) (?:you|this|tunewright)\b|how (?:do|can|"
        r"should) (?:i|you|we) |how does (?:this|it|tunewright)|which (?:tasks?|models?|losses|"
        r"metrics?|methods?|formats?|adapters?) (?:do|are|can|does)|what (?:tasks?|models?|losses|"
        r"metrics?|methods?|formats?|adapters?|data|commands|options) (?:do|are|can|does)|usage\b|"
        r"(?:list|show)(?: me)? (?:the |all )*(?:commands|options)|(?:hi|hello|hey|thanks|"
        r"thank you)\W*$|explain how (?:this|you|it|tunewright)|show me (?:an example|how))",
    ),
    (
        Intent.EXPLAIN,
        r"(?:why\b|how come\b|what made\b|explain\b|justify\b|what(?:'s| is| was) the reason\b|(?:tell|show) me why\b|"
        r"what (?:went wrong|broke|caused|failed)\b)",
    ),
    (
        Intent.RESUME,
        r"(?:(?:start|run|launch|begin) (?:(?:the|my|our|run|job|up) )*\x00+(?: up)? (?:again|anew|once more)\b|"
        r"(?:start|run|launch|begin) again(?: with| on)? \x00+|"
        r"(?:pick \x00* ?(?:it |that |the study |the run )?(?:up|back up) ?(?:again)?|resume|continue|"
        r"pick up|carry on|restart|unpause|go on|proceed|keep going)\b(?=\W*$|\W*\x00|\W+(?:with |"
        rf"from |where )?(?:the )?(?:\w+ )?(?:{_THING}|\x00|\#?\d+|where)))",
    ),
    (
        Intent.CANCEL,
        r"(?:cancel|abort|kill|terminate|halt|quit|stop|end|interrupt|shut down)\b(?=\W*$|\W*\x00|"
        rf"\W+(?:with )?(?:the )?(?:\w+ )?(?:{_THING}|\x00|\#?\d+|now))(?!\W+(?:at|when|once|after|early))",
    ),
    (
        Intent.STATUS,
        r"(?:how(?:'s|s| is| are| far| did)\b(?! (?:the weather|it possible))|what(?:'s|s| is|"
        r" are)? (?:the )?(?:status|progress|state|running|eta|current best|best (?:trial|score|"
        rf"config\w*) (?:so far|of|in))\b|status\b|progress\b|is (?:{_THING}\W+)*(?:\d+ )?(?:done|"
        rf"finished|complete|still|running|over)|are (?:{_THING} ?)*(?:we|they)? ?(?:done|finished|"
        r"still)|(?:show|list|give|check|tell)(?: me)?(?: (?:the|all|my|on|about))* (?:status|"
        r"progress|stud(?:y|ies)|trials|results|runs|jobs|leaderboard|best (?:trial|score))\b|"
        rf"which (?:trials?|stud(?:y|ies)|config\w*)\b|when (?:will|is)\b|has (?:{_THING} ?)+|"
        rf"did (?:{_THING}\b)|any (?:news|progress|update)|where (?:are we|is)|how many trials|"
        r"what happened|(?:what|which|how|did|does|compare|summari[sz]e|show|"
        rf"where)\b[^\x00]*\x00{{5}})",
    ),
    (
        Intent.EVALUATE,
        r"(?:evaluate|eval|score|benchmark|assess|measure|test|check the (?:accuracy|quality|score)|"
        r"how (?:good|well|accurate))\b(?=\W+(?:the |my |our |this |that |is |"
        r"does )*(?:\w+ )?(?:adapter|model|checkpoint|lora|\x00|it\b|best|study|on\b|how|performance|"
        r"quality))",
    ),
    (
        Intent.EXPORT,
        r"(?:export|merge|package|save|download|convert|give me|get(?: me)?|hand me|send me)\b(?=\W+(?:the |my |our |"
        r"and merge |"
        r"best |final |tuned |trained |merged |winning )*(?:adapter|model|checkpoint|weights|lora|"
        r"stud(?:y|ies)|\x00|it\b|result|\#?\d))",
    ),
)
"""Requests about what exists already; they open the request, after pleasantries."""

_PLAN = (
    r"dry[- ]?run|(?:just|only) (?:plan|estimate|the plan|a plan|show (?:me )?(?:the |a )?plan)|"
    r"plan (?:only|first|for|a|an|the|it|out|to|how|what)|^\W*(?:please )?plan\b|"
    r"(?:show|give|make|draft|see|prepare|print|write)(?: me)? (?:the |a |me )*(?:plan|"
    r"cost estimate|estimate)\b|what would (?:it|this|that|be|happen|you)\b[^?.]*|"
    r"how (?:long|much|expensive|many hours)(?: \w+)? (?:would|will|does|should|is|might|could)\b|"
    r"how (?:long|much|expensive)\b(?:[^.?!\n]|\.(?=\w)){0,60}\b(?:would|will|takes?|costs?|needs?)\b|"
    r"intent\W{1,4}plan|"
    r"how much (?:time|memory|vram|gpu|money)|estimate (?:the |how |what )?|preview\b|(?:do not|"
    r"don't|dont|without|before) (?:actually )?(?:start(?:ing)?|run(?:ning)?|launch(?:ing)?|"
    r"train(?:ing)? (?:yet|anything)|spend(?:ing)?|execut\w+)(?! more| longer|"
    r" over)(?: (?:anything|it|yet|any|training))*|"
    r"no training yet|(?:nothing|not) (?:to be )?(?:run|started|trained) yet|would (?:it|this|"
    r"that) (?:fit|cost|take|work)|what (?:does|will) (?:it|this|that) (?:cost|take)|"
    r"cost estimate|before i commit"
)

_STRONG_VERBS = (
    r"(?:(?:q?lora|rslora|dora|instruction|instruct|preference|full|"
    r"re)?[- ]?)?(?:fine[- ]?tun(?:e|es|ed|ing)|finetun(?:e|es|ed|ing)|tun(?:e|ing)|"
    r"(?:re)?train(?:ing)?|ft)|hyper-?parameter (?:search|optimi[sz]ation|tuning|sweep)|hpo|sweep"
)

_MODEL_NOUN = (
    r"(?:models?|classifiers?|adapters?|llms?|language model|chat ?bots?|assistants?|lora|network|"
    r"weights|checkpoint|bert|encoder|detector|filter)"
)

_DROPS_THE_REST = (Intent.STATUS, Intent.EXPLAIN, Intent.CANCEL, Intent.HELP, Intent.UNSUPPORTED)


def read_study(reading: Reading) -> None:
    """The study and trial that a request names; not fields of the spec."""
    if match := reading.find(
        r"(?:stud(?:y|ie)|job|experiment|sweep)\s*(?:number |no\.? ?|nr\.? ?|id |named |"
        r"called )?[#:]?\s*(?P<id>\d+|[a-z]*[-_]?[a-z\d]*\d[\w-]*)"
    ):
        reading.study = reading.text.cased[match.start("id") : match.end("id")]
        reading.text.consume(match.start(), match.end())
    elif match := reading.find(
        r"(?:run|status|resume|cancel|export|stop|report|explain|continue|abort|kill|show)\s+(?:of |"
        r"the |number )*#?(?P<id>\d+)(?=\W*$|\s+(?:to|into|and|now|please|with|again)\b)"
    ) or re.search(r"#(?P<id>\d+)", reading.text.left):
        reading.study = match["id"]
        reading.text.consume(match.start("id"), match.end("id"))
    if match := reading.find(
        r"trial\s*(?:number |no\.? ?|nr\.? ?|#)?\s*(?P<id>\d+)(?!\s*(?:trials|hours))"
    ) or reading.find(r"(?:the )?(?P<id>\d+)(?:st|nd|rd|th) trial"):
        reading.trial = int(match["id"])
        reading.text.consume(match.start(), match.end())


def read_control(reading: Reading) -> Intent | None:
    """The intent of a request about what exists already, claimed; None for all others."""
    opening = rf"(?:{_POLITE}|(?<=[,.;!]) (?:please |now |so |then |and )*)" if _names_a_study(reading) else _POLITE
    if reading.study is not None and re.search(f"[{CJK}]", reading.text.original):
        opening = ""  # the verb comes last
    for intent, words in _CONTROL:
        match = re.search(rf"{opening}(?P<said>{words})", _visible(reading))
        if match and not _is_training(reading, intent, match):
            reading.claim("intent", intent, match.start("said"), match.end("said"), consume=False)
            return intent
    return None


def _names_a_study(reading: Reading) -> bool:
    return reading.study is not None and not reading.has("data.train")


def _visible(reading: Reading) -> str:
    return reading.text.left.rstrip()


def _is_training(reading: Reading, intent: Intent, match: re.Match[str]) -> bool:
    """Whether a request that opens like a question about a study asks for training after all."""
    rest = reading.text.left[match.end() :]
    if intent is Intent.EXPORT and _search(FORMATS, rest):
        return True
    if intent is Intent.RESUME and match["said"].startswith(("start", "run", "launch", "begin")):
        return reading.study is None
    if intent in (Intent.HELP, Intent.STATUS, Intent.EXPLAIN):
        planned = re.search(_PLAN, reading.text.clean) is not None and reading.study is None
        return planned or (intent is not Intent.HELP and reading.has("data.train") and intent is not Intent.EXPLAIN)
    if reading.has("data.train") and reading.study is None and intent is not Intent.EVALUATE:
        return True
    return re.search(rf"(?<![\w-]){_STRONG_VERBS}(?![\w-])", rest) is not None and intent in (
        Intent.EVALUATE,
        Intent.EXPORT,
    )


def read_intent(reading: Reading, original: str, *, editing: bool = False) -> None:
    """Claim train, plan or unsupported for a request that is not about an existing study.

    `original` is the text before other readers consumed it, with hidden orders masked.
    """
    tuning = _search(_STRONG_VERBS, original)
    about = tuning is not None or any(
        c.field in ("data.train", "base_model", "adapter", "loss") for c in reading.claims
    )
    about = about or editing
    out = out_of_scope(original) or (None if about else _search(CHORES, original))
    chore = re.search(rf"{_POLITE}(?P<said>{CHORES})(?!\w)", original)
    if out is None and (other := _search(FORMATS, original)):
        out = other
    if out is None and chore and not reading.has("data.train") and not editing:
        out = chore
    evidence = _evidence(reading, original, tuning)
    plan = _search(_PLAN, original)
    if editing and plan and evidence is None:
        evidence = plan.span()
    if reading.refusal and evidence is None:
        evidence = (0, max(len(original), 1))
    if out is None and evidence is not None:
        start, end = plan.span() if plan else evidence
        reading.claim("intent", Intent.PLAN if plan else Intent.TRAIN, start, end, consume=False)
        return
    if not re.search(r"[^\s\x00]", original) and not reading.ignored:
        return
    start, end = out.span() if out else (0, len(original))
    reading.claim("intent", Intent.UNSUPPORTED, start, end, consume=False)
    said = reading.text.quote(start, end)[:80]
    reading.refuse(
        RefusalClass.UNSUPPORTED_TASK,
        f'"{said}" is not something tunewright does: it fine-tunes language models on text (classification, supervised '
        "fine-tuning, preference tuning). Name a text data set and one of these tasks.",
    )


def _evidence(reading: Reading, original: str, tuning: re.Match[str] | None) -> tuple[int, int] | None:
    """The words that show that a model is to be trained."""
    if tuning:
        return tuning.span()
    weak = _search(TRAIN_VERBS, original)
    stated: dict[str, Claim] = {}
    for claim in reading.claims:
        stated.setdefault(claim.field, claim)
    anchored = any(name in stated for name in ("data.train", "base_model", "adapter", "loss")) or bool(
        _search(_MODEL_NOUN, original)
    )
    if weak and anchored:
        return weak.span()
    for name in ("task", "loss", "adapter", "data.train", "base_model"):
        if name in stated and (name != "task" or anchored or stated[name].value is not Task.SFT):
            return stated[name].start, stated[name].end
    searched = next(
        (
            c
            for name, c in stated.items()
            if name.startswith(("search.", "budget.", "objective.", "data.", "seed", "constraints.", "output."))
        ),
        None,
    )
    return (searched.start, searched.end) if searched else None


def _search(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(rf"(?<![\w-])(?:{pattern})(?![\w])", text)


def read_knowledge_question(reading: Reading, original: str) -> Intent | None:
    """Claim help for a question about methods that names no data: "what is the difference between LoRA and DoRA?"."""
    terms = "|".join(
        [
            *ADAPTERS.values(),
            *LOSSES.values(),
            *METRICS.values(),
            *TASKS_STRONG.values(),
            r"learning rate|rank|epochs|batch size|beta|trials?|tunewright|overfitting|columns?|formats?|files?|"
            r"studies|fine-?tun(?:e|ing)|hyperparameters?",
        ]
    )
    asks = re.search(
        rf"{_POLITE}(?P<said>(?:what(?:'s| is| are| does| do)?|which|when should|should i|is|are|does|"
        r"do you|can you explain|how|difference between|"
        rf"tell me about)\b[^\n]*?(?<!\w)(?:{terms})(?!\w)[^\n]*)",
        original.rstrip(),
    )
    data = any(c.field.startswith("data.") for c in reading.claims)
    if (
        asks is None
        or data
        or not re.search(r"\?|difference|^\W*what", original)
        or re.search(_PLAN, original)
        or re.search(r"(?:is|are|can|could) (?:it|you|we)\b.*\bto?\b (?:fine|train|tune)", original)
    ):
        return None
    reading.claim("intent", Intent.HELP, asks.start("said"), asks.end("said"), consume=False)
    return Intent.HELP


def keep_what_counts(reading: Reading) -> None:
    """Drop claims that mean nothing under the intent: a status request has no batch size."""
    intent = next((claim.value for claim in reading.claims if claim.field == "intent"), None)
    if intent in _DROPS_THE_REST:
        reading.claims = [claim for claim in reading.claims if claim.field == "intent"]
        reading.inferred.clear()
        reading.questions.clear()
