"""Cards in words: facts, nothing that an author of data could abuse, 80 columns in a terminal."""

import inspect
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.desk import cards, words
from agent.desk.cards import Problem
from agent.desk.desk import Desk
from agent.desk.event_words import event_sentence
from agent.desk.planning import plan_card
from agent.desk.words import plan_summary, plan_text, studies_text, study_text, trials_text, words_of
from agent.report.html import html_of
from agent.report.terminal import TerminalMarkdown
from agent.request.draft import Question
from agent.settings import Settings
from agent.study.nouns import EventKind, StudyEvent

PARTS = {
    "Line", "Scored", "Running", "Change", "LlmCallCard", "TrialCard", "StudyLine",
    "ParameterView", "Tried",
}  # fmt: skip
"""Models that are part of a card, or that have words only as a list."""


def printed(text, width=80):
    console = Console(width=width, file=io.StringIO(), force_terminal=False, highlight=False)
    console.print(TerminalMarkdown(text), crop=False)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def desk(tmp_path_factory, lab):
    """A desk with study 1 that is done and study 2 that nobody runs."""
    home = tmp_path_factory.mktemp("words")
    with Desk(Settings(home=home, roots=(home,))) as opened:
        from agent.report.write import write_report

        study = opened.store.create_study(lab.plan(trials=3)).study_id
        lab.run(opened.store, study, write_report=write_report)
        opened.store.create_study(lab.plan(trials=2))
        yield opened


@pytest.fixture(scope="module")
def card(preference_plan):
    """The card of a ready preference plan."""
    return plan_card(preference_plan)


def test_every_card_has_words():
    """A card that a verb may answer with is put into words in one place."""
    models = {n: m for n, m in inspect.getmembers(cards, inspect.isclass) if m.__module__ == cards.__name__}
    wordless = words_of.dispatch(object)
    assert [n for n, m in models.items() if n not in PARTS and words_of.dispatch(m) is wordless] == []


def test_a_plan_shows_words_origins_and_hash(card):
    """What was understood is beside the words it came from; defaults say why; the hash is what approval binds to."""
    text = printed(plan_text(card))
    flat = " ".join(text.split())
    for part in ("“dpo”", "“beta 0.01 to 0.2”", "default: ", "beta", "test (sealed)", card.plan_hash[:12]):
        assert part in flat
    assert "and make it rain" in flat
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) < 70


def test_open_points_come_with_the_next_step(card):
    """Questions with their proposal, a problem with its hint; no hash to approve."""
    problem = Problem(code="bad_value", param="seed", message="must be 0 or more, got -1.", hint="Use 0.")
    question = Question(field="data.columns.label", question="Which column?", suggestion="topic")
    text = plan_summary(card.model_copy(update={"plan_hash": None, "questions": (question,), "problem": problem}))
    assert "Which column? (data.columns.label) Suggestion: “topic”" in text
    assert "seed: must be 0 or more, got -1. Use 0." in text
    assert card.plan_hash[:12] not in text


@given(text=st.text(max_size=300))
def test_any_words_of_the_user_can_be_shown(card, text):
    """Notes and quotes are the user's text: square brackets stay, what would steer a terminal or a page does not."""
    odd = card.model_copy(update={"notes": (text, "[bold]\x1b[2J <script>"), "not_obeyed": (text,)})
    terminal, html = printed(plan_text(odd)), html_of(plan_text(odd))
    assert "[bold]" in terminal
    assert "\x1b" not in terminal
    assert "<script" not in html
    assert html.count("<table>") == 4


def test_a_finished_study_says_what_it_found(desk):
    """Verdict, both test scores, where the report is; the same figures as the card."""
    status = desk.status("1")
    text = study_text(status)
    assert status.result.verdict in text
    assert f"{status.result.best_test:.4f}" in text
    assert f"{status.report_dir}/report.html" in text
    assert "resume" not in text


def test_a_study_that_nobody_runs_says_so(desk):
    """A queue that stands still is not taken for one that moves."""
    assert "Nobody runs it; resume it to go on." in study_text(desk.status("2"))


def test_lists_have_a_row_each(desk):
    """Studies and trials; a trial shows what differs from the default, and what the default is."""
    assert studies_text(desk.studies()).count("\n|") == 1 + 2
    assert studies_text([]) == "There is no study yet."
    trials = desk.trials("1")
    text = trials_text(trials, "accuracy", trials[0].config)
    assert text.count("\n|") == 1 + len(trials)
    assert "| the default |" in text
    assert "The default: learning_rate 0.0001, lora_rank 8." in text


def test_every_answer_about_a_study_fits_a_terminal(desk):
    """Explanation, comparison, budget, report, events: at 80 columns, paths apart."""
    answers = (desk.explain("1", 1), desk.compare("1", 1, 0), desk.budget("1"), desk.report_card("1"))
    for answer in (*answers, desk.events("1", 0, 50), desk.status("1")):
        lines = printed(words_of(answer)).splitlines()
        assert max(len(line) for line in lines if "/" not in line) <= 80


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_is_a_sentence(kind):
    """On one line, whatever its data hold; what a library or a model wrote is quoted."""
    data = {"why": "because\x1b[2J", "error": "boom\nboom", "score": 0.5, "share": 0.25, "state": "DONE", "step": 3}
    event = StudyEvent(seq=1, at="2026-01-01T00:00:00", kind=kind, trial_id="1-4", data=data)
    sentence = event_sentence(event)
    assert sentence
    assert "\x1b" not in sentence
    assert "\n" not in sentence
    assert event_sentence(event.model_copy(update={"data": {}}))


def test_a_failure_says_why():
    """Reason, and the library's words as a quotation."""
    data = {"reason": "oom", "error": "CUDA out of memory"}
    event = StudyEvent(seq=1, at="", kind=EventKind.TRIAL_FAILED, trial_id="1-4", data=data)
    assert event_sentence(event) == "Trial 4 failed: oom. “CUDA out of memory”"
    assert words.event_text(event) == "Trial 4 failed: oom. “CUDA out of memory”"
