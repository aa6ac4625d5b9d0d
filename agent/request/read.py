"""Reading a request: by rules, or by the planner LLM where one is configured. Never one in place of the other."""

from agent.llm.planner import Planner
from agent.request.draft import Draft
from agent.request.llm_reader import read_by_llm
from agent.request.rules.reader import read_by_rules
from trainers.errors import InputError

MAX_REQUEST_CHARS = 20_000


def read_request(request: str, *, planner: Planner | None = None, previous: Draft | None = None) -> Draft:
    """The draft of `request`; with `previous`, of an edit to an earlier one.

    Raises InputError for an empty or oversized request and PlannerFailed where the LLM gives nothing usable. Cost:
    milliseconds by rules; one LLM call and at most two repair turns otherwise.
    """
    if not request.strip():
        hint = 'Say what to train on what, such as "classify the topics in tickets.csv".'
        raise InputError("request", "the request is empty.", hint)
    if len(request) > MAX_REQUEST_CHARS:
        rule = f"a request has at most {MAX_REQUEST_CHARS:,} characters, got {len(request):,}."
        raise InputError("request", rule, "Put data in a file and name the file.")
    return read_by_rules(request, previous) if planner is None else read_by_llm(request, planner, previous)
