"""Every prompt file renders from what its caller gives, no more and no less."""

from importlib.resources import files
from typing import Any

import pytest
from jinja2 import Environment, UndefinedError, meta

from prompts import render, source
from prompts.history import MAX_ROWS, Row, history_text, number_text

HYPERPARAMETER = {"name": "learning_rate", "range": "between 1e-05 and 0.003 (log)", "default": "2e-4", "condition": ""}
CONTEXTS: dict[str, dict[str, Any]] = {
    "read_request": {"metrics": ["accuracy", "f1_macro"], "hyperparameters": ["learning_rate"], "previous": None},
    "request": {"request": "classify tickets.csv"},
    "chat_system": {"plan_hash": "0123456789ab", "plan_open": "", "waiting": True, "started": None, "study": "3"},
    "chat_figures": {"figures": ["0.93", "7"]},
    "repair": {"problem": "n: must be whole.", "schema": "{}"},
    "json_only": {"schema": "{}"},
    "propose_system": {
        "card": [("task", "classification"), ("n_classes", "10")],
        "hyperparameters": [HYPERPARAMETER],
        "n_low": 8,
        "n_high": 12,
        "bounds": True,
    },
    "propose_user": {
        "history": "(none)",
        "maximize": True,
        "best": "none",
        "n_failed": 0,
        "pending": "",
        "digest": ["best 2 of 8 trials: learning_rate 2e-4 to 5e-4"],
        "trials_left": 7,
    },
}

TABLE = "id,learning_rate,grade\n0,2e-4,50"
CONTEXTS |= {
    "llambo_system": {"card": [("task", "classification")], "hyperparameters": [HYPERPARAMETER]},
    "llambo_warmstart": {"n": 10, "known": TABLE},
    "llambo_candidates": {"history": TABLE, "pending": "", "target": "72", "n": 10},
    "llambo_discriminative": {"history": TABLE, "pool": "id,learning_rate\nc1,5e-4"},
    "llambo_generative": {"history": TABLE, "pool": "id,learning_rate\nc1,5e-4"},
    "mcp_instructions": {"roots": "/data, /home/me/work"},
    "mcp_tune": {"goal": "classify tickets.csv", "data": ""},
    "mcp_explain": {"study": "3"},
}


def test_every_prompt_file_is_covered() -> None:
    """A new prompt needs a context here."""
    names = {path.name.removesuffix(".md") for path in files("prompts").iterdir() if path.name.endswith(".md")}
    assert set(CONTEXTS) <= names
    assert {name for name in names if name != "README"} == set(CONTEXTS)


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_prompt_uses_exactly_its_variables(name: str) -> None:
    """No undeclared and no unused variable; a missing one is an error, never an empty string."""
    used = meta.find_undeclared_variables(Environment(autoescape=True).parse(source(name)))
    assert used == set(CONTEXTS[name])
    text = render(name, **CONTEXTS[name]).text
    assert "{{" not in text
    assert "{%" not in text
    with pytest.raises(UndefinedError):
        render(name)


def test_the_request_for_candidates_reads_as_intended() -> None:
    """Golden rendering."""
    assert render("propose_user", **CONTEXTS["propose_user"]).text == (
        "Trials:\n(none)\n\n"
        "The score is to be maximized. Best so far: none. Failed: 0.\n"
        "- best 2 of 8 trials: learning_rate 2e-4 to 5e-4\n"
        "Trials left: 7.\n"
        "Give your priors and the next configurations."
    )


def test_hyperparameter_cards_read_as_intended() -> None:
    """Golden rendering of one line of the prefix."""
    text = render("propose_system", **CONTEXTS["propose_system"]).text
    assert (
        "- learning_rate: between 1e-05 and 0.003 (log); default 2e-4; peak learning rate; the hyperparameter that "
        "matters most; too high diverges or collapses\n"
    ) in text
    assert "Job:\n- task: classification\n- n_classes: 10\n\nHyperparameters:\n" in text


def test_the_hash_names_the_template() -> None:
    """Equal for equal templates, whatever is filled in."""
    one, other = render("request", request="a"), render("request", request="b")
    assert one.sha256 == other.sha256
    assert one.text != other.text


def test_history_rows_read_as_intended() -> None:
    """Golden rendering: three digits, dashes for what is not there."""
    rows = [
        Row(0, {"lr": 0.0002, "rank": 16, "warm": 0.05}, 0.812356, "OK", "default"),
        Row(1, {"lr": 0.01, "rank": 8}, None, "NAN", "portfolio"),
        Row(2, {"lr": 0.00032, "rank": 8}, None, "RUN", "llm"),
    ]
    assert history_text(["lr", "rank", "warm"], rows, True) == (
        "n,lr,rank,warm,score,status,by\n"
        "0,2e-4,16,0.05,0.81236,OK,default\n"
        "1,0.01,8,-,-,NAN,portfolio\n"
        "2,3.2e-4,8,-,-,RUN,llm"
    )
    assert history_text(["lr"], [], True) == "(none)"


@pytest.mark.parametrize("maximize", [True, False])
def test_long_histories_keep_what_matters(maximize: bool) -> None:
    """The best, the latest, the failures, and a digest of the rest."""
    rows = [Row(i, {"lr": 1e-4 * (i + 1), "s": "ab"[i % 2]}, float(i % 50), "OK", "gp") for i in range(MAX_ROWS + 40)]
    rows += [Row(200 + i, {"lr": 1.0, "s": "a"}, None, "OOM_GPU", "gp") for i in range(12)]
    text = history_text(["lr", "s"], rows, maximize)
    assert text.count("OOM_GPU") == 10
    best = [r for r in rows if r.score == (49.0 if maximize else 0.0)]
    assert all(f"\n{r.number}," in text for r in best)
    assert "more rows left out" in text
    assert "lr: best quarter" in text
    assert len(text.splitlines()) < 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00032, "3.2e-4"),
        (1e-05, "1e-5"),
        (0.05, "0.05"),
        (0.0, "0"),
        (2.0, "2"),
        (16, "16"),
        (True, "true"),
        ("x", "x"),
    ],
)
def test_numbers_are_short(value: Any, text: str) -> None:
    """Three significant digits."""
    assert number_text(value) == text
