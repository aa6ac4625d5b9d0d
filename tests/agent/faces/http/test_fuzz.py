"""Anything at all as a body: it is answered, refused with a reason, and never breaks the server."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(), max_size=30)  # halves of characters and NUL included
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "/v1/verbs/plan_study": ("request", "data", "trials", "seconds", "answers"),
    "/v1/verbs/study_events": ("study", "after", "limit", "progress"),
    "/v1/verbs/explain_trial": ("study", "trial", "parameter"),
    "/v1/plans": ("request", "data", "trials", "seconds", "llm", "answers"),
    "/v1/plans/0123456789/edits": ("text",),
    "/v1/studies": ("plan_hash", "request", "data", "trials", "yes", "answers"),
    "/v1/studies/1/generate": ("prompt", "max_new_tokens"),
    "/v1/studies/1/evaluate": ("data", "metric", "max_rows"),
    "/v1/conversations": ("llm",),
    "/v1/conversations/1/approve": ("plan_hash",),
    "/v1/fine_tuning/jobs": ("model", "training_file", "method", "hyperparameters", "metadata", "seed", "tunewright"),
    "/v1/chat/completions": ("model", "messages", "stream", "metadata", "n"),
}


@pytest.mark.parametrize("path", FIELDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_no_body_breaks_a_route(client, path, data):
    """Below 500, and an error is told in our form."""
    import json

    body = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS[path], VALUES | TEXT)))
    answer = client.post(path, content=json.dumps(body))
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]


ODD = ["\0", "a\0b", "\ud800", "x\udfff"]


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_text_is_refused(client, odd):
    """In every field that goes somewhere."""
    import json

    for path, body in (
        ("/v1/plans", {"request": f"classify {odd}"}),
        ("/v1/plans", {"request": "x", "data": odd}),
        ("/v1/plans", {"request": "x", "answers": {"data.train": odd}}),
        ("/v1/conversations/1/messages", {"text": odd}),
        ("/v1/studies/1/generate", {"prompt": odd}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": odd}]}),
        ("/v1/fine_tuning/jobs", {"model": odd, "training_file": "x"}),
        ("/v1/fine_tuning/jobs", {"model": "x", "training_file": "x", "metadata": {"a": odd}}),
    ):
        answer = client.post(path, content=json.dumps(body))
        assert answer.status_code == 400, path
        assert "broken characters" in answer.json()["error"]["message"]
