"""Fixtures for everything that decides."""

import importlib.util
import json
from pathlib import Path

import pytest


def _lab():
    spec = importlib.util.spec_from_file_location("study_lab", Path(__file__).with_name("study_lab.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def lab():
    """`study_lab.py` as a module."""
    return _lab()


@pytest.fixture
def store(tmp_path):
    """An empty database in a home directory of its own."""
    from agent.study.store import Store

    with Store.open(tmp_path / "tunewright.db") as opened:
        yield opened


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """A file of labelled rows in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write_rows(tmp_path)


def write_rows(directory):
    """80 labelled rows in `directory`; the file."""
    lines = [f"the {word} number {i} of ticket,{word}" for i in range(40) for word in ("refund", "parcel")]
    path = directory / "tickets.csv"
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory, lab):
    """A home with one study that is done; its runs were scripted, its report is real. Never changed."""
    from agent.report.write import write_report
    from agent.study.store import Store

    home = tmp_path_factory.mktemp("finished")
    with Store.open(home / "tunewright.db") as store:
        lab.run(store, store.create_study(lab.plan(trials=4)).study_id, write_report=write_report)
    return home


@pytest.fixture(scope="session")
def preference_plan(tmp_path_factory):
    """A ready preference plan with quoted, inferred and default values."""
    from agent.request.draft import Draft, DraftSpec, Quote
    from agent.request.resolve import resolve
    from agent.settings import Settings

    here = tmp_path_factory.mktemp("work")
    words = ["parcel", "late", "card", "charged", "twice", "app", "crash"]
    rows = [
        {
            "prompt": f"why {i} {words[i % 7]}",
            "chosen": f"because of {i * 37} {words[i % 5]}",
            "rejected": f"no {i * 91} idea",
        }
        for i in range(120)
    ]
    (here / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    spec = {
        "task": "preference",
        "base_model": "embedded:tiny-causal",
        "data": {"train": "pairs.jsonl"},
        "search": {"beta": {"low": 0.01, "high": 0.2}},
    }
    quotes = {
        "task": "dpo",
        "data.train": "pairs.jsonl",
        "search.beta": "beta 0.01 to 0.2",
        "base_model": "tiny-causal",
    }
    read = Draft(
        spec=DraftSpec.model_validate(spec),
        quotes=tuple(Quote(field=field, quote=quote) for field, quote in quotes.items()),
        ignored=("and make it rain",),
    )
    return resolve("dpo on pairs.jsonl", read, Settings(home=here / ".home", roots=(here,))).plan
