"""Edits of a draft in words: "use rank 32 instead", "drop the time limit", "on train2.csv"."""

from typing import Any

from agent.request.draft import MAX_QUESTIONS, Draft, DraftSpec, Quote, Refusal, RefusalClass, Rejected
from agent.request.rules.amounts import number, seconds_in, whole
from agent.request.rules.intents import out_of_scope
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.dotted import flat, nested
from trainers.spec import Choices, Intent, Range, Scalar

_PHRASES = PHRASES["edits"]


def merged(previous: Draft, request: str, edit: Draft) -> Draft:
    """`previous` with the fields of `edit` in place of its own and the fields that `request` takes back removed."""
    if _changes_subject(previous, request, edit):
        return edit
    dropped = _dropped(request.lower())
    answer = _bare_answer(previous, request) or _scaled(previous, request.lower())
    stated = _stated(previous, edit)
    values, edited = flat(previous.spec), flat(edit.spec)
    remarks = _added(values, edited, stated) if regex(_PHRASES["adds_values"]).search(request.lower()) else ()
    quotes = {quote.field: quote for quote in previous.quotes}
    for name in dropped | {question.field for question in edit.questions} | {r.field for r in edit.rejected}:
        values.pop(name, None)
        quotes.pop(name, None)
    values |= {name: edited[name] for name in stated if name in edited and name not in answer} | answer
    quotes |= stated | {name: Quote(field=name, quote=request.strip()) for name in answer}
    inferred = {n: r for n, r in previous.inferred.items() if n not in quotes and n in values}
    for name, reason in edit.inferred.items():
        if name not in quotes and name in edited:
            values[name], inferred[name] = edited[name], reason
    refusal, rejected = _refusal(previous, edit)
    understood = stated or dropped or answer or edit.ignored or edit.questions or edit.rejected or remarks
    unread = () if understood or not request.strip() else (request.strip(),)
    return Draft(
        spec=DraftSpec.model_validate(nested(values)),
        quotes=tuple(quotes.values()),
        inferred=inferred,
        rejected=rejected,
        questions=(*(q for q in previous.questions if q.field not in quotes), *edit.questions)[:MAX_QUESTIONS],
        refusal=refusal,
        study=edit.study or previous.study,
        trial=edit.trial if edit.trial is not None else previous.trial,
        ignored=(*previous.ignored, *edit.ignored, *remarks, *unread),
    )


def _added(before: dict[str, Any], edited: dict[str, Any], stated: dict[str, Quote]) -> tuple[str, ...]:
    """ "add rank 64 to the choices" keeps the values that were named before; says where there are none to add to."""
    remarks = []
    for name in [name for name in stated if name.startswith("search.") and name in edited]:
        old, new = before.get(name), edited[name]
        if isinstance(old, Range) and isinstance(new, int | float):
            edited[name] = Range(low=min(old.low, new), high=max(old.high, new))
        elif old is not None and not isinstance(old, Range):
            edited[name] = Choices(choices=tuple(dict.fromkeys((*_values(old), *_values(new)))))
        else:
            quote = stated.pop(name).quote
            remarks.append(f"{quote}: no values were named to add to; list all of them, such as rank 8, 16 or 64")
    return tuple(remarks)


def _values(value: Any) -> tuple[Scalar, ...]:
    return value.choices if isinstance(value, Choices) else (value,)


def _stated(previous: Draft, edit: Draft) -> dict[str, Quote]:
    """What the edit says, but for an intent that only follows from its being an edit."""
    stated = {quote.field: quote for quote in edit.quotes}
    keeps = previous.spec.intent is not None and edit.spec.intent in (Intent.TRAIN, Intent.UNSUPPORTED)
    saves = edit.spec.intent is Intent.EXPORT and edit.study is None and any(n.startswith("output.") for n in stated)
    if keeps or saves:  # "save it to out/ and merge" says what the study is to hand back
        stated.pop("intent", None)
    return stated


def _changes_subject(previous: Draft, request: str, edit: Draft) -> bool:
    """Whether the edit stands alone: out of scope itself, or the first usable request after one that was."""
    unsupported = edit.refusal is not None and edit.refusal.kind is RefusalClass.UNSUPPORTED_TASK
    if previous.spec.intent is Intent.UNSUPPORTED:
        return not unsupported and edit.spec.intent is not None
    return unsupported and out_of_scope(request.lower()) is not None


def _refusal(previous: Draft, edit: Draft) -> tuple[Refusal | None, tuple[Rejected, ...]]:
    """An edit that names safe data lifts a refusal for an unsafe path; a new unsafe path refuses."""
    fresh = edit.refusal if edit.refusal and edit.refusal.kind is RefusalClass.UNSAFE_PATH else None
    healed = {quote.field for quote in edit.quotes}
    rejected = tuple(r for r in previous.rejected if r.field not in healed) + edit.rejected
    lifted = bool(previous.rejected) and not rejected
    return fresh or (None if lifted else previous.refusal), rejected


def _dropped(low: str) -> set[str]:
    takes_back = rf"(?<!\w){_PHRASES['drop']}\s+(?:the |any |all |my |our |that |a )*"
    unlimited = r"(?<!\w)(?:no|any) (?:limit|cap|restriction|bound)s? (?:on|for|of) (?:the )?"
    return {
        name
        for name, words in WORDS.field_names.items()
        if regex(rf"{takes_back}{words}(?!\w)(?!\s*[:=]?\s*\d)|{unlimited}{words}(?!\w)").search(low)
    }


def _bare_answer(previous: Draft, request: str) -> dict[str, Any]:
    """A number alone answers the only open question, if that is about a number."""
    match = regex(_PHRASES["bare"]).fullmatch(request)
    name = previous.questions[0].field if len(previous.questions) == 1 else ""
    numeric = name.startswith(("budget.", "search.", "seed", "constraints."))
    return {name: whole(float(match[1]))} if match and numeric else {}


def _scaled(previous: Draft, low: str) -> dict[str, Any]:
    """ "double the trials", "5 more trials": what numbers were, and by how much they change."""
    values = flat(previous.spec)
    changed: dict[str, Any] = {}
    for match in [*regex(_PHRASES["scales"]).finditer(low), *regex(_PHRASES["adds"]).finditer(low)]:
        noun = match["noun"].strip()
        name = next((n for n, words in WORDS.field_names.items() if regex(rf"{words}(?!\w)").match(noun)), "")
        old = values.get(name)
        if isinstance(old, bool) or not isinstance(old, int | float):
            continue
        if factor := match.groupdict().get("factor"):
            changed[name] = whole(old * WORDS.factors[factor])
            continue
        sign = -1 if match["sign"] in ("fewer", "less") else 1
        scale = (seconds_in(noun.partition("-")[0]) or 1) if name == "budget.seconds" else 1
        changed[name] = whole(old + sign * number(match["n"] or match["m"]) * scale)
    return changed
