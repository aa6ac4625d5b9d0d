"""Reading a request: by rules, or by the planner LLM where one is configured. Never one in place of the other."""

import re
from typing import TYPE_CHECKING, Any

from agent.request.draft import Draft, Quote
from agent.request.llm_reader import read_by_llm
from agent.request.rules.reader import read_by_rules
from trainers.errors import InputError

if TYPE_CHECKING:
    from agent.llm.open import Planner

MAX_REQUEST_CHARS = 20_000
WITHOUT_QUOTE = frozenset({"intent", "task", "objective.direction"})
"""Fields that follow from the request as a whole; every other field needs words that say it."""


def read_request(request: str, *, planner: "Planner | None" = None, previous: Draft | None = None) -> Draft:
    """The draft of `request`; with `previous`, of an edit to an earlier one.

    Raises InputError for an empty or oversized request and PlannerFailed where the LLM gives nothing usable. Cost:
    milliseconds by rules; one LLM call and at most two repair turns otherwise.
    """
    if not request.strip():
        raise InputError(
            "request",
            "the request is empty.",
            'Say what to train on what, such as "classify the topics in tickets.csv".',
        )
    if len(request) > MAX_REQUEST_CHARS:
        raise InputError(
            "request",
            f"a request has at most {MAX_REQUEST_CHARS:,} characters, got {len(request):,}.",
            "Put data in a file and name the file.",
        )
    if planner is None:
        return read_by_rules(request, previous)

    return verified(request, read_by_llm(request, planner, previous), previous)


def verified(request: str, draft: Draft, previous: Draft | None = None) -> Draft:
    """`draft` without what the request does not say.

    A value is kept if its quote is in the request (case and white space aside), if it was inferred with a reason, or
    if it is unchanged from `previous`. Everything else is dropped and named in `ignored`.
    """
    said = _plain(request)
    earlier = dict(_leaves(previous.spec.model_dump(mode="json"))) if previous else {}
    kept_quotes: list[Quote] = []
    dropped: dict[str, str] = {}
    values = dict(_leaves(draft.spec.model_dump(mode="json")))
    for quote in draft.quotes:
        unchanged = quote.field in earlier and earlier[quote.field] == values.get(quote.field)
        if unchanged or (_plain(quote.quote) and _plain(quote.quote) in said):
            kept_quotes.append(quote)
        else:
            dropped[quote.field] = f"{quote.field}: the planner quoted {quote.quote!r}, which the request does not say"
    supported = {quote.field for quote in kept_quotes} | set(draft.inferred) | WITHOUT_QUOTE | set(earlier)
    for field in values:
        if field not in supported:
            dropped.setdefault(field, f"{field}: the planner gave a value without words of the request that say it")
    dropped = {field: why for field, why in dropped.items() if field not in {quote.field for quote in kept_quotes}}
    spec = draft.spec.model_dump(mode="json")
    for field in dropped:
        _clear(spec, field)
    return draft.model_copy(
        update={
            "spec": type(draft.spec).model_validate(spec),
            "quotes": tuple(kept_quotes),
            "inferred": {field: why for field, why in draft.inferred.items() if field not in dropped},
            "ignored": (*draft.ignored, *dropped.values()),
        }
    )


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(dotted field, value) of everything that is set; a searched range or list is one value."""
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        field = f"{prefix}{name}"
        if value is None:
            continue
        if isinstance(value, dict) and not field.startswith("search."):
            found += _leaves(value, f"{field}.")
        else:
            found.append((field, value))
    return found


def _clear(tree: dict[str, Any], field: str) -> None:
    *parents, name = field.split(".")
    for parent in parents:
        tree = tree.get(parent) or {}
    if name in tree:
        tree[name] = None
