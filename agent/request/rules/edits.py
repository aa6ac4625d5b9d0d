"""Edits of a draft in words: "use rank 32 instead", "drop the time limit", "on train2.csv"."""

import re
from typing import Any

from agent.request.draft import Draft, DraftSpec, Quote, Refusal, RefusalClass, Rejected
from agent.request.rules.amounts import NUMBER, number, whole
from agent.request.rules.scope import out_of_scope
from agent.request.rules.text import Lazy
from trainers.dotted import flat, nested
from trainers.spec import Intent

FIELD_WORDS: dict[str, str] = {
    "budget.seconds": r"time(?: limit| budget)?|hours?|minutes?|days?|deadline|duration",
    "budget.trials": r"trials?(?: limit| budget)?|number of trials",
    "budget.llm_usd": r"cost(?: limit| cap)?|dollar(?: limit)?|money|usd|llm budget|spending (?:limit|cap)",
    "budget.parallel_trials": r"parallel\w*(?: trials)?",
    "constraints.max_vram_gb": r"(?:v?ram|memory|gpu)(?: limit| cap)?",
    "constraints.max_seq_length": r"(?:max(?:imum)? )?(?:sequence |seq )?length(?: limit)?",
    "constraints.max_adapter_mb": r"adapter size(?: limit)?|size limit",
    "search.learning_rate": r"learning[- ]rates?(?: range)?|lr(?: range)?",
    "search.lora_rank": r"(?:lora )?ranks?",
    "search.lora_alpha": r"(?:lora )?alpha",
    "search.lora_dropout": r"(?:lora )?dropout",
    "search.batch_size": r"batch[- ]sizes?",
    "search.epochs": r"epochs?",
    "search.weight_decay": r"weight[- ]decay",
    "search.warmup_ratio": r"warm-?up(?: ratio)?",
    "search.scheduler": r"(?:lr )?schedul(?:e|er)|cosine(?: schedule)?",
    "search.target_modules": r"target modules|modules",
    "search.beta": r"beta(?: range)?",
    "objective.target": r"target(?: score)?|goal|accuracy target|stopping (?:score|target)",
    "objective.metric": r"metric",
    "objective.tradeoffs": r"trade-?offs?|compromises?|pareto(?: front)?",
    "seed": r"(?:random )?seed",
    "output.dir": r"output(?: dir(?:ectory)?| folder)?",
    "output.merge": r"merg(?:e|ing)",
    "data.validation": r"validation(?: set| file| data)?",
    "data.test": r"test(?: set| file| data)",
    "adapter": r"adapter|lora",
    "loss": r"loss",
    "base_model": r"(?:base )?model",
}
"""What people call a field when they take it back."""

_DROP = (
    r"(?:drop|remove|delete|forget(?: about)?|clear|unset|lift|no(?! (?:more|longer|less|wait))|"
    r"without|get rid of|take (?:out|off)|ignore|skip|never mind|scrap|discard|lose|cancel|unfix|reset|"
    r"(?:don't|do not) (?:fix|set|limit|restrict))"
)
_BARE = Lazy(
    r"\W*(?:make (?:it|that)|let's say|use|say|take|ok(?:ay)?|actually|rather|better|set (?:it|"
    r"that) to|yes)?[\s,:]*(\d+(?:\.\d+)?)\W*(?:instead|please|then)?\W*"
)
_KEEPS_INTENT = (Intent.TRAIN, Intent.UNSUPPORTED)


def merged(previous: Draft, request: str, edit: Draft) -> Draft:
    """`previous` with the fields of `edit` in place of its own and the fields that `request` takes back removed."""
    if _changes_subject(previous, request, edit):
        return edit
    dropped = _dropped(request)
    answer = _bare_answer(previous, request) or _scaled(previous, request)
    stated = {quote.field: quote for quote in edit.quotes}
    asked = {question.field for question in edit.questions}
    if previous.spec.intent is not None and edit.spec.intent in _KEEPS_INTENT:
        stated.pop("intent", None)
    if edit.spec.intent is Intent.EXPORT and edit.study is None and any(name.startswith("output.") for name in stated):
        stated.pop("intent", None)  # "save it to out/ and merge" says what the study is to hand back
    values = flat(previous.spec)
    quotes = {quote.field: quote for quote in previous.quotes}
    for name in dropped | asked | {r.field for r in edit.rejected}:
        values.pop(name, None)
        quotes.pop(name, None)
    edited = flat(edit.spec)
    stated = {name: quote for name, quote in stated.items() if name not in answer}
    values |= {name: edited[name] for name in stated if name in edited} | answer
    quotes |= stated | {name: Quote(field=name, quote=request.strip()) for name in answer}
    inferred = {n: r for n, r in previous.inferred.items() if n not in quotes and n in values}
    for name, reason in edit.inferred.items():
        if name not in quotes and name in edited:
            values[name], inferred[name] = edited[name], reason
    questions = tuple(q for q in previous.questions if q.field not in quotes) + edit.questions
    refusal, rejected = _refusal(previous, edit)
    unread = (
        () if stated or dropped or answer or edit.ignored or edit.questions or edit.rejected else (request.strip(),)
    )
    return Draft(
        spec=DraftSpec.model_validate(nested(values)),
        quotes=tuple(quotes.values()),
        inferred=inferred,
        rejected=rejected,
        questions=questions[:3],
        refusal=refusal,
        study=edit.study or previous.study,
        trial=edit.trial if edit.trial is not None else previous.trial,
        ignored=previous.ignored + edit.ignored + tuple(part for part in unread if part),
    )


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


def _dropped(request: str) -> set[str]:
    low = request.lower()
    found = set()
    for name, words in FIELD_WORDS.items():
        if re.search(
            rf"(?<!\w){_DROP}\s+(?:the |any |all |my |our |that |a )*(?:{words})(?!\w)(?!\s*[:=]?\s*\d)", low
        ) or re.search(
            rf"(?<!\w)(?:no|any) (?:limit|cap|restriction|bound)s? (?:on|for|of) (?:the )?(?:{words})(?!\w)", low
        ):
            found.add(name)
    return found


def _bare_answer(previous: Draft, request: str) -> dict[str, Any]:
    """A number alone answers the only open question about a number."""
    match = _BARE.fullmatch(request)
    numeric = [
        q.field for q in previous.questions if q.field.startswith(("budget.", "search.", "seed", "constraints."))
    ]
    if match is None or len(numeric) != 1 or len(previous.questions) != 1:
        return {}
    value = float(match[1])
    return {numeric[0]: int(value) if value.is_integer() else value}


_FACTORS = {"double": 2, "twice": 2, "triple": 3, "thrice": 3, "quadruple": 4, "halve": 0.5, "half": 0.5}
_SCALES = Lazy(
    r"(?<!\w)(?P<factor>double|twice|triple|quadruple|halve|half)(?!\w)(?! an? (?:hour|day|minute))"
    r"(?: (?:as (?:many|much|long)|the|number|of|my|our|that|all))* (?P<noun>[a-z][\w -]*)"
)
_ADDS = Lazy(
    rf"(?<!\w)(?:(?:add|another|give (?:it|me)|allow|plus|with|run|do|use|and)\s+)*(?:(?P<n>{NUMBER}) (?P<sign>more|"
    rf"additional|extra|"
    rf"fewer|less)|(?P<another>add|another) (?P<m>{NUMBER}))(?: of)?(?: the)? (?P<noun>[a-z][\w-]*)"
)


def _scaled(previous: Draft, request: str) -> dict[str, Any]:
    """ "double the trials", "5 more trials": what numbers were, and by how much they change."""
    low, values = request.lower(), flat(previous.spec)
    changed: dict[str, Any] = {}
    times = list(_SCALES.finditer(low))
    for match in [*times, *_ADDS.finditer(low)]:
        noun = match["noun"].strip()
        name = next((n for n, words in FIELD_WORDS.items() if re.match(rf"(?:{words})(?!\w)", noun)), "")
        old = values.get(name)
        if isinstance(old, bool) or not isinstance(old, (int, float)):
            continue
        if match in times:
            changed[name] = whole(old * _FACTORS[match["factor"]])
            continue
        sign = -1 if match["sign"] in ("fewer", "less") else 1
        changed[name] = whole(old + sign * number(match["n"] or match["m"]) * _unit(name, noun))
    return changed


def _unit(name: str, noun: str) -> int:
    """Seconds in the time unit of an addition; 1 for anything else."""
    units = {"hour": 3600, "minu": 60, "day": 86400, "days": 86400}
    return units.get(noun[:4], 1) if name == "budget.seconds" else 1
