"""Fixtures for everything that decides."""

import importlib.util
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
