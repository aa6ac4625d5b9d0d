"""What a request wants done: train, plan, or something about an existing study; and what is out of scope."""

import re

from agent.request.draft import RefusalClass
from agent.request.rules.claims import Claim, Reading, Span
from agent.request.rules.text import CJK, regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.spec import Intent, Task

_PHRASES, _SCOPE = PHRASES["intents"], PHRASES["scope"]
_ANCHORS = ("data.train", "base_model", "adapter", "loss")
"""Fields that a request about something else than tuning hardly states."""
SETTLED_ALONE = (Intent.STATUS, Intent.EXPLAIN, Intent.CANCEL, Intent.HELP, Intent.UNSUPPORTED)
"""Under these, the rest of a request means nothing."""


def read_study(reading: Reading) -> None:
    """The study and trial that a request names; not fields of the spec."""
    if match := reading.find(_PHRASES["study"]):
        reading.study = reading.text.name(match, "id")
        reading.text.consume(*match.span())
    elif match := reading.find(_PHRASES["study_number"]) or regex(r"#(?P<id>\d+)").search(reading.text.left):
        reading.study = match["id"]
        reading.text.consume(*match.span("id"))
    if match := reading.find(_PHRASES["trial"]) or reading.find(r"(?:the )?(?P<id>\d+)(?:st|nd|rd|th) trial"):
        reading.trial = int(match["id"])
        reading.text.consume(*match.span())


def read_control(reading: Reading) -> Intent | None:
    """The intent of a request about what exists already, claimed; None for all others."""
    opening = _PHRASES["polite"]
    if reading.study is not None and regex(f"[{CJK}]").search(reading.text.original):
        opening = ""  # the verb comes last
    elif reading.study is not None and not reading.has("data.train"):
        opening = rf"(?:{_PHRASES['polite']}|(?<=[,.;!]) (?:please |now |so |then |and )*)"
    for name, words in PHRASES["control"].items():
        intent = Intent(name)
        match = regex(rf"{opening}(?P<words>{words})").search(reading.text.left.rstrip())
        if match and not _is_training(reading, intent, match):
            reading.claim("intent", intent, match.span("words"), consume=False)
            return intent
    return None


def _is_training(reading: Reading, intent: Intent, match: re.Match[str]) -> bool:
    """Whether a request that opens like a question about a study asks for training after all."""
    rest = reading.text.left[match.end() :]
    trains, no_study = reading.has("data.train"), reading.study is None
    if intent is Intent.EXPORT and _search(WORDS.other_formats, rest):
        return True
    if intent is Intent.RESUME and match["words"].startswith(("start", "run", "launch", "begin")):
        return no_study
    if intent in (Intent.HELP, Intent.STATUS, Intent.EXPLAIN):
        plans = no_study and regex(_PHRASES["plan"]).search(reading.text.clean) is not None
        return plans or (intent is Intent.STATUS and trains)
    if trains and no_study and intent is not Intent.EVALUATE:
        return True
    return intent in (Intent.EVALUATE, Intent.EXPORT) and (
        regex(rf"(?<![\w-]){_PHRASES['strong_verbs']}(?![\w-])").search(rest) is not None
    )


def read_intent(reading: Reading, original: str, *, editing: bool = False) -> None:
    """Claim train, plan or unsupported for a request that is not about an existing study.

    `original` is the text before other readers consumed it, with hidden orders masked.
    """
    tuning = _search(_PHRASES["strong_verbs"], original)
    plan = _search(_PHRASES["plan"], original)
    out = out_of_scope(original)
    if out is None and not (editing or tuning or reading.has(*_ANCHORS)):  # in one about tuning, other work counts not
        out = _search(WORDS.other_work, original)
    out = out or _search(WORDS.other_formats, original)
    if out is None and not reading.has("data.train") and not editing:
        out = regex(rf"{_PHRASES['polite']}(?P<words>{WORDS.other_work})(?!\w)").search(original)
    evidence = _evidence(reading, original, tuning)
    if editing and plan and evidence is None:
        evidence = plan.span()
    if reading.refusal and evidence is None:
        evidence = (0, max(len(original), 1))
    if out is None and evidence is not None:
        intent = Intent.PLAN if plan else Intent.TRAIN
        reading.claim("intent", intent, plan.span() if plan else evidence, consume=False)
        return
    if not regex(r"[^\s\x00]").search(original) and not reading.ignored:
        return
    words = out.span() if out else (0, len(original))
    reading.claim("intent", Intent.UNSUPPORTED, words, consume=False)
    reading.refuse(
        RefusalClass.UNSUPPORTED_TASK,
        f'"{reading.text.quote(*words)[:80]}" is not something tunewright does: it fine-tunes language models on text '
        "(classification, supervised fine-tuning, preference tuning). Name a text data set and one of these tasks.",
    )


def out_of_scope(text: str) -> re.Match[str] | None:
    """The first words of other machine learning in lower-case `text` that are not the subject of a text."""
    matches = regex(rf"(?<![\w/-]){_SCOPE['other']}(?!\w|\.\w)").finditer(text)
    return next((match for match in matches if not _is_subject(text, match)), None)


def _is_subject(text: str, match: re.Match[str]) -> bool:
    """Whether the words only tell what texts are about: "image captions", "tickets about images"."""
    if regex(_SCOPE["makes"]).match(match.group()):
        return False
    if regex(rf"(?:[ -]\w+)?[ -]{WORDS.texts}(?!\w)").match(text, match.end()):
        return True
    start = max((m.end() for m in regex(r"[.;!?\n](?=\s)").finditer(text[: match.start()])), default=0)
    texts = regex(rf"(?<![\w-]){WORDS.texts}(?![\w-])").search(text[start : match.end()])
    return texts is not None and regex(_SCOPE["about"]).match(text[start : match.end()], texts.end()) is not None


def _evidence(reading: Reading, original: str, tuning: re.Match[str] | None) -> Span | None:
    """The words that show that a model is to be trained."""
    if tuning:
        return tuning.span()
    weak = _search(WORDS.train_verbs, original)
    stated: dict[str, Claim] = {}
    for claim in reading.claims:
        stated.setdefault(claim.field, claim)
    anchored = reading.has(*_ANCHORS) or _search(_PHRASES["model_noun"], original) is not None
    if weak and anchored:
        return weak.span()
    for name in ("task", "loss", "adapter", "data.train", "base_model"):
        if name in stated and (name != "task" or anchored or stated[name].value is not Task.SFT):
            return stated[name].span
    parts = ("search.", "budget.", "objective.", "data.", "seed", "constraints.", "output.")
    return next((claim.span for name, claim in stated.items() if name.startswith(parts)), None)


def _search(pattern: str, text: str) -> re.Match[str] | None:
    return regex(rf"(?<![\w-])(?:{pattern})(?![\w])").search(text)


def read_knowledge_question(reading: Reading, original: str) -> Intent | None:
    """Claim help for a question about methods that names no data: "what is the difference between LoRA and DoRA?"."""
    asks = regex(_PHRASES["asks"]).search(original.rstrip())
    if (
        asks is None
        or any(claim.field.startswith("data.") for claim in reading.claims)
        or not regex(r"\?|difference|^\W*what").search(original)
        or regex(_PHRASES["plan"]).search(original)
        or regex(r"(?:is|are|can|could) (?:it|you|we)\b.*\bto?\b (?:fine|train|tune)").search(original)
    ):
        return None
    reading.claim("intent", Intent.HELP, asks.span("words"), consume=False)
    return Intent.HELP


def keep_what_counts(reading: Reading) -> None:
    """Drop claims that mean nothing under the intent: a status request has no batch size."""
    intents = reading.of("intent")
    if intents and intents[0].value in SETTLED_ALONE:
        reading.claims = intents
        reading.inferred.clear()
        reading.questions.clear()
