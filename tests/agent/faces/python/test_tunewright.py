"""The Python interface: plans, approval, data frames, waiting, looking at a study."""

import asyncio
import json
import stat
import subprocess
import sys

import pandas as pd
import pytest

from agent import Tunewright
from agent.errors import InputError, NeedsAnswer, StudyFailed
from agent.report.write import write_report
from agent.study.lock import owning
from agent.study.nouns import EventKind, StudyState
from trainers.spec import Budget, Data, Objective, TaskSpec

REQUEST = "classify tickets.csv with MiniLM, 3 trials, 1 epoch"
ROWS = [{"text": f"the {word} number {i} of ticket", "label": word} for i in range(40) for word in ("refund", "parcel")]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a file of labelled rows, and an empty home."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(ROWS).to_csv(tmp_path / "tickets.csv", index=False)
    (tmp_path / "home").mkdir()
    return tmp_path


@pytest.fixture
def tw(place):
    """The interface over that home."""
    with Tunewright(place / "home") as opened:
        yield opened


@pytest.fixture
def nobody_works(place):
    """The queue is held, so that nothing of it is taken up."""
    with owning(place / "home" / "queue"):
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, lab):
    """An interface over a home with one study, which scripted training has finished."""
    with Tunewright(tmp_path_factory.mktemp("finished")) as opened:
        opened.desk.store.create_study(lab.plan(trials=4))
        lab.run(opened.desk.store, "1", write_report=write_report)
        yield opened


@pytest.fixture
def done(finished):
    """That study."""
    return finished.study()


def test_importing_the_package_costs_nothing():
    """The interface is loaded when it is asked for; another name is an AttributeError."""
    code = "import sys, agent; print([m for m in ('torch', 'pydantic', 'rich') if m in sys.modules]); agent.Nothing"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert "has no attribute 'Nothing'" in done.stderr


# -- plans -----------------------------------------------------------------------------------------------------


def test_a_plan_is_edited_in_words_and_never_changes_itself(tw):
    """The edit is another plan and says what differs."""
    plan = tw.plan(REQUEST)
    edited = plan.edit("use rank 32").edit("make it 2 trials")
    assert plan.ready
    assert (plan.card.trials, edited.card.trials) == (3, 2)
    assert edited.plan.spec.search.lora_rank == 32
    assert [line.name for line in edited.card.changed] == ["budget.trials"]
    assert plan.plan_hash != edited.plan_hash


def test_what_a_keyword_says_counts_before_the_request_until_an_edit(tw):
    """As flags do on the command line."""
    plan = tw.plan(REQUEST, trials=7)
    assert plan.card.trials == 7
    assert plan.edit("make it 9 trials").card.trials == 9
    assert plan.edit("use rank 32").card.trials == 7


def test_an_open_question_is_answered_by_its_field(tw):
    """Until then it cannot be started, and the error says what to do."""
    plan = tw.plan("fine-tune a classifier, 2 trials")
    (question,) = plan.questions
    assert (plan.ready, plan.plan_hash) == (False, None)
    with pytest.raises(NeedsAnswer, match=r"data\.train: .* Use plan\.answer"):
        tw.start(plan)
    answered = plan.answer(question.field, "tickets.csv")
    assert answered.ready
    assert answered.answer("budget.trials", 5).card.trials == 5
    with pytest.raises(InputError, match="is no answer"):
        plan.answer("budget.trials", "many")


def test_a_plan_that_breaks_a_rule_cannot_be_started(tw):
    """The error is that of the command line."""
    plan = tw.plan(f"{REQUEST}, rank 0")
    assert plan.problem.param == "search.lora_rank"
    with pytest.raises(InputError) as caught:
        tw.run(plan)
    assert caught.value.param == "search.lora_rank"


def test_a_request_about_a_study_is_no_plan(tw):
    """It says where to look instead."""
    with pytest.raises(InputError, match="asks to status, not to train"):
        tw.run("how is study 1 doing?")


@pytest.mark.parametrize("kind", ["dict", "model", "file", "path"])
def test_a_spec_is_a_request(tw, place, kind):
    """As values, as a model or as a file, it gives the same plan."""
    model = TaskSpec(
        task="classification",
        base_model="sentence-transformers/all-MiniLM-L6-v2",
        data=Data(train="tickets.csv"),
        objective=Objective(metric="accuracy", direction="maximize"),
        budget=Budget(trials=2),
    )
    spec = {
        "task": "classification",
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "data": {"train": "tickets.csv"},
        "objective": {"metric": "accuracy"},
        "budget": {"trials": 2},
    }
    (place / "spec.json").write_text(json.dumps(spec))
    request = {"dict": spec, "model": model, "file": "spec.json", "path": place / "spec.json"}[kind]
    plan = tw.plan(request)
    assert (plan.ready, plan.plan.spec.objective.metric, plan.card.trials) == (True, "accuracy", 2)
    assert plan.plan_hash == tw.plan(spec).plan_hash


@pytest.mark.parametrize(
    ("spec", "param"),
    [({"dta": {}}, "dta"), ({"seed": object()}, "spec"), ({"budget": {"trials": "many"}}, "budget.trials")],
)
def test_a_spec_that_is_none_names_the_field(tw, spec, param):
    """Unknown keys and values are refused as in a file."""
    with pytest.raises(InputError) as caught:
        tw.plan(spec)
    assert caught.value.param == param


def test_bad_keywords_are_bad_input(tw):
    """Not a traceback of pydantic's."""
    with pytest.raises(InputError, match="trials"):
        tw.plan(REQUEST, trials="many")
    with pytest.raises(InputError, match="cannot be given beside a plan"):
        tw.run(tw.plan(REQUEST), trials=3)
    with pytest.raises(InputError, match="must be words"):
        tw.plan(42)


def test_a_plan_shows_itself(tw):
    """In one line, as text and as HTML; what a user wrote is never markup."""
    plan = tw.plan(f"{REQUEST} <script>alert(1)</script>")
    assert repr(plan).startswith(f"<plan {plan.plan_hash[:12]} ready:")
    assert "understood" in str(plan)
    assert max(len(line) for line in str(plan).splitlines()) <= 80
    html = plan._repr_html_()
    assert "<script" not in html
    assert plan.plan_hash[:12] in html
    assert "learning_rate" in html
    assert "Which file" in tw.plan("fine-tune a classifier")._repr_html_()


# -- tables ----------------------------------------------------------------------------------------------------


def test_rows_in_memory_are_written_once_by_their_content(tw, place):
    """A data frame and a list of dicts of the same rows are one file, for its owner only, and the same plan."""
    request = "classify by label with MiniLM, 2 trials"
    first, again = tw.plan(request, data=pd.DataFrame(ROWS)), tw.plan(request, data=ROWS)
    assert first.ready, str(first)
    assert first.plan_hash == again.plan_hash
    (path,) = (place / "home" / "files").iterdir()
    assert first.plan.spec.data.train == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS
    assert tw.plan(request, data=ROWS[:-4]).plan_hash != first.plan_hash


@pytest.mark.parametrize("data", [[], [1, 2], [{"text": "a"}, "b"], 3, pd.DataFrame(), [{"text": object()}]])
def test_what_is_no_table_is_refused(tw, place, data):
    """Before anything is written."""
    with pytest.raises(InputError, match="data: "):
        tw.plan(REQUEST, data=data)
    assert not (place / "home" / "files").exists()


def test_trials_become_a_data_frame(done):
    """One row a trial; hyperparameters are columns, scores are numbers."""
    frame = done.trials_dataframe()
    assert list(frame.columns[:6]) == ["number", "phase", "state", "source", "score", "seconds"]
    assert {"params_learning_rate", "params_lora_rank"} <= set(frame.columns)
    assert list(frame["number"]) == list(range(len(frame)))
    assert frame["score"].dtype == float
    search = frame[frame["phase"] == "search"]
    assert (len(search), search["score"].max()) == (4, done.best.score)
    assert all(type(value) is str for value in frame["state"])


def test_a_study_without_trials_has_an_empty_data_frame(tw, lab):
    """With the columns that are there in any case."""
    tw.desk.store.create_study(lab.plan())
    frame = tw.study("1").trials_dataframe()
    assert (len(frame), "score" in frame.columns) == (0, True)
    with pytest.raises(InputError, match="no scored trial yet"):
        tw.study("1").plot()


# -- looking ---------------------------------------------------------------------------------------------------


def test_a_finished_study_tells_everything(done, finished):
    """Status, result, report, files, explanations: all from the store."""
    assert (done.over, done.status().state) == (True, StudyState.DONE)
    assert done.result.verdict == done.report().verdict
    assert done.report_html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert done.adapter.is_dir()
    assert done.explain(0).proposed_by == "default"
    assert done.compare(1, 0).left_name == "trial 1"
    assert done.budget().trials_used == 4
    assert [study.id for study in finished.studies()] == ["1"]
    assert repr(done) == f"<study 1: done, 4 of 4 trials, best accuracy {done.best.score:.4f}>"
    assert done.result.verdict.split(".")[0] in done._repr_html_()
    with pytest.raises(InputError, match="no study '9'"):
        finished.study(9)


def test_before_it_is_done_there_is_no_report(tw, lab):
    """Each thing says so, and that the same call works later."""
    tw.desk.store.create_study(lab.plan())
    study = tw.study(1)
    assert (study.best, study.result, study.events()) == (None, None, [])
    for ask in (study.report, lambda: study.report_html, lambda: study.adapter, lambda: study.predict(["a"])):
        with pytest.raises(InputError) as caught:
            ask()
        assert (caught.value.code, caught.value.retryable) == ("not_done", True)


def test_a_plot_shows_itself_in_a_notebook(done):
    """It is a matplotlib figure, and pyplot is not needed."""
    from matplotlib.figure import Figure

    figure = done.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.axes[0].get_ylabel() == "validation accuracy"


def test_predictions_want_a_list(done):
    """A single text would be taken letter by letter."""
    with pytest.raises(InputError, match="must be a list of texts"):
        done.predict("one text")


# -- approval and waiting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [False, "0" * 12, lambda plan: plan.card.trials > 100])
def test_without_approval_nothing_is_started(tw, answer):
    """Neither by no, nor by another plan's hash, nor by a function that says no."""
    with pytest.raises(NeedsAnswer):
        tw.run(REQUEST, approve=answer)
    assert (tw.studies(), tw.queue()) == ([], [])


@pytest.mark.usefixtures("nobody_works")
def test_an_approved_plan_is_queued_and_waited_for(tw):
    """By its hash or a function; after the timeout it is returned as it stands. The same key is the same study."""
    plan = tw.plan(REQUEST)
    study = tw.run(plan, approve=plan.plan_hash[:12], timeout=0.1, key="k")
    assert (study.over, study.status().queue_place) == (False, 1)
    assert tw.run(REQUEST, approve=lambda plan: plan.ready, timeout=0.1, key="k").id == study.id
    assert tw.start(plan.plan_hash, key="k").id == plan.start("k").id == study.id
    assert [card.study for card in tw.queue()] == ["1"]
    assert tw.desk.store.submission(study_id="1").face == "python"
    assert study.pause().paused
    assert study.resume().queue_place == 1
    assert study.cancel().state is StudyState.CANCELLED


@pytest.mark.usefixtures("nobody_works")
def test_a_copy_of_a_study_is_the_same_plan(tw):
    """By its number or its handle; words and keywords edit it."""
    study = tw.plan(REQUEST).start()
    copy = tw.plan(from_study=study)
    assert copy.plan_hash == study.status().plan_hash == tw.plan(from_study="1").plan_hash
    edited = tw.plan("use rank 32", from_study=1, trials=5)
    assert (edited.plan.spec.search.lora_rank, edited.card.trials) == (32, 5)


def test_a_failed_study_is_an_error(tw):
    """What `run` returns has a result, unless the time was up."""
    with owning(tw.settings.home / "queue"):
        study = tw.plan(REQUEST).start("k")
        tw.desk.store.dequeue(study.id)
        tw.desk.store.set_state(study.id, StudyState.FAILED, "every trial failed: OOM_HOST")
        with pytest.raises(StudyFailed, match="study 1 failed: every trial failed: OOM_HOST"):
            tw.run(REQUEST, key="k")
    assert study.wait().state is StudyState.FAILED


def test_callbacks_get_every_event_in_order(done):
    """From the beginning where asked, else only what is new; progress is printed."""
    seen = []
    assert done.wait(on_event=seen.append, after=0).state is StudyState.DONE
    assert [event.seq for event in seen] == [event.seq for event in done.events()]
    assert seen[-1].kind is EventKind.STUDY_ENDED
    assert list(done.stream(seen[-3].seq)) == seen[-2:]
    seen.clear()
    done.wait(on_event=seen.append)
    assert seen == []


def test_progress_is_plain_lines_where_there_is_no_terminal(done, capsys):
    """A notebook's output is none."""
    done.wait(progress=True, after=0)
    out = capsys.readouterr().out
    assert "trial  0" in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("nobody_works")
def test_ctrl_c_ends_the_waiting_and_not_the_study(tw, capsys):
    """It says how to find the study again."""
    study = tw.plan(REQUEST).start()
    tw.desk.store.log_event(study.id, EventKind.STATE_CHANGED, None, {"state": "SEARCHING"})

    def interrupt(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.wait(on_event=interrupt, after=0)
    told = capsys.readouterr().err
    assert f"Study 1 goes on; find it again with Tunewright('{tw.settings.home}').study('1')." in told
    assert (study.over, tw.desk.store.cancel_requested("1")) == (False, False)


@pytest.mark.usefixtures("nobody_works")
def test_asyncio_waits_without_blocking_the_loop(tw):
    """Approval and callbacks may be coroutine functions; a timeout returns the study as it stands."""
    seen = []

    async def yes(plan):
        return plan.card.trials == 3

    async def keep(event):
        seen.append(event.kind)

    async def both():
        beats = 0
        running = asyncio.create_task(tw.arun(REQUEST, approve=yes, on_event=keep, timeout=1.5))
        while not running.done():
            if tw.studies() and not seen:
                tw.desk.store.log_event("1", EventKind.STATE_CHANGED, None, {"state": "SEARCHING"})
            await asyncio.sleep(0.02)
            beats += 1
        return beats, running.result()

    beats, study = asyncio.run(both())
    assert beats > 10
    assert (study.over, seen) == (False, [EventKind.STATE_CHANGED] * len(seen))
    assert seen
    study.cancel()


def test_asyncio_streams_what_a_plain_loop_streams(done):
    """And ends with the study."""

    async def all_of_it():
        return [event async for event in done.aevents()], await done.await_end()

    events, card = asyncio.run(all_of_it())
    assert (events, card) == (done.events(), done.status())


# -- the real thing --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_real_study_from_a_data_frame_to_predictions(tw):
    """One call trains; the model is then used in this process, and scored on another frame."""
    kinds = []
    study = tw.run(
        "classify with MiniLM, 1 trial, 3 epochs", data=pd.DataFrame(ROWS), on_event=lambda e: kinds.append(e.kind)
    )
    assert kinds[0] is EventKind.STUDY_STARTED
    assert kinds[-1] is EventKind.STUDY_ENDED
    assert study.result.best_test is not None
    texts = ["the refund number 77 of ticket", "the parcel number 78 of ticket"]
    predicted = study.predict(texts)
    probabilities = study.predict_proba(texts)
    assert list(probabilities.idxmax(axis=1)) == predicted
    assert set(probabilities.columns) == {"refund", "parcel"}
    assert study.generate(texts[0]).probabilities == dict(probabilities.iloc[0])
    assert study.evaluate(pd.DataFrame(ROWS)).n_rows == len(ROWS)
    exported = study.export("handed-over")
    assert exported.directory.is_dir()
