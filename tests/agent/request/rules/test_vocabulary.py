"""The words of the rules reader."""

import re
from importlib.resources import files

from agent.request.draft import DraftSpec
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.dotted import fields
from trainers.spec import Adapter, Columns, Loss, Metric, Search, Tradeoff

TABLES = ("between_numbers", "control", "not_times", "roles")
"""Sections that are gone through by their names, which are fields, intents or words."""


def test_no_pattern_captures():
    """Readers put the patterns into theirs and count on their own groups."""
    dumped = WORDS.model_dump()
    tables = [table for table in dumped.values() if isinstance(table, dict)]
    patterns = [p for p in (*dumped.values(), *(p for t in tables for p in t.values())) if isinstance(p, str)]
    patterns += [p for h in WORDS.hyperparameters for p in (h.called, h.value_first or "")]
    assert len(patterns) > 80
    assert [p for p in patterns if re.compile(p).groups] == []


def test_every_name_of_a_spec_has_words():
    """What a spec can hold can be said; the words belong to fields that there are."""
    assert set(WORDS.metrics) == set(Metric)
    assert set(WORDS.adapters) == set(Adapter)
    assert set(WORDS.losses) == set(Loss)
    assert set(WORDS.tradeoffs) == set(Tradeoff)
    assert set(WORDS.column_roles) == set(WORDS.column_names) == set(Columns.model_fields)
    assert set(WORDS.field_names) <= set(fields(DraftSpec))
    read_elsewhere = {"target_modules", "scheduler"}
    assert {h.name for h in WORDS.hyperparameters} | read_elsewhere == set(Search.model_fields)


def test_words_of_other_languages_mean_one_thing():
    """No word is listed twice."""
    words = [word for listed in WORDS.translations.values() for word in listed]
    assert sorted(words) == sorted(set(words))


def test_corrections_lead_to_words_that_are_left_as_they_are():
    """A word is not both correct and a misspelling, and what one is corrected to is not corrected again."""
    assert not WORDS.correct & set(WORDS.typos)
    assert not set(WORDS.typos.values()) & set(WORDS.typos)


def test_every_phrase_is_a_pattern_that_something_looks_for():
    """A phrase that no module and no other phrase names is left over, and a misspelt name would only fail when used."""
    package = files("agent.request.rules")
    modules = "".join(path.read_text(encoding="utf-8") for path in package.iterdir() if path.name.endswith(".py"))
    phrases = package.joinpath("phrases.toml").read_text(encoding="utf-8")
    for section, patterns in PHRASES.items():
        assert section == "words" or f'PHRASES["{section}"]' in modules
        for name, pattern in patterns.items():
            re.compile(pattern)
            names = rf"\[[\"']{name}[\"']\]|%\{{(?:{section}\.)?{name}\}}"
            assert section in ("words", *TABLES) or re.search(names, modules + phrases), f"{section}.{name}"
