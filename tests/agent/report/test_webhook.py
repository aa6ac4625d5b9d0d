"""What a webhook is told, when, and how often."""

import json
import time

import pytest

from agent.desk.desk import Desk
from agent.report.webhook import Approvals, tell_ended
from agent.settings import Webhook
from agent.study.nouns import StudyState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason


def arrived(there, count=1, seconds=10.0):
    """Wait for deliveries; their bodies."""
    until = time.monotonic() + seconds
    while len(there.got) < count and time.monotonic() < until:
        time.sleep(0.02)
    return [json.loads(body) for _, _, body in there.got]


def test_a_study_that_is_done_tells_scores_and_verdict(carry_out, lab, store, receiver, troubles):
    """Small, and without a word of the data."""
    there = receiver()
    study = store.create_study(lab.plan(trials=2))
    failing = lambda spec: (FailureReason.OOM_GPU, "row 12: alice@example.com") if "-1-1" in spec.attempt_id else None  # noqa: E731
    hook = {"url": f"{there.url}/in", "link": "https://box.example/studies/{study}"}
    events = carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), webhook=hook)
    (notice,) = arrived(there)
    report = json.loads((study.directory / "output" / "report.json").read_text())
    assert notice.pop("at")
    assert notice == {
        "event": "done",
        "text": f"Study 1 is done. {report['verdict']}",
        "study": "1",
        "state": "DONE",
        "plan_hash": study.plan_hash,
        "metric": "accuracy",
        "best": {"validation": store.history("1").best.score, "test": report["best"]["test_score"]},
        "default": {"validation": store.trial("1-0").score, "test": report["default"]["test_score"]},
        "verdict": report["verdict"],
        "failures": {"OOM_GPU": 1},
        "report": str(study.directory / "output"),
        "url": "https://box.example/studies/1",
    }
    assert len(there.got[0][2]) < 2000
    assert troubles(events) == []


def test_a_study_that_fails_is_told_with_reasons_but_without_its_error(carry_out, lab, store, receiver):
    """Error texts may quote data."""
    there = receiver()
    study = store.create_study(lab.plan(trials=2))
    failing = lambda spec: (FailureReason.DATA, "row 12: alice@example.com")  # noqa: E731
    with pytest.raises(Exception, match="failed"):
        carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), webhook={"url": there.url})
    (notice,) = arrived(there)
    assert (notice["event"], notice["state"], notice["failures"]) == ("failed", "FAILED", {"DATA": 2})
    assert b"alice" not in there.got[0][2]


def test_a_study_that_is_cancelled_is_told_only_where_asked_for(carry_out, lab, store, receiver):
    """Whoever cancels knows."""
    for events, expected in ((["done", "failed"], 0), (["cancelled"], 1)):
        there = receiver()
        study = store.create_study(lab.plan(trials=2))
        store.request_cancel(study.study_id)
        carry_out(study.study_id, webhook={"url": there.url, "events": events})
        assert len(arrived(there, expected, 5.0)) == expected
        assert len(there.got) == expected


def test_a_receiver_that_fails_is_asked_again_with_the_same_id(carry_out, lab, store, receiver, troubles):
    """So that it can tell that it has it already."""
    there = receiver((503, 200))
    study = store.create_study(lab.plan(trials=2))
    events = carry_out(study.study_id, webhook={"url": there.url})
    assert len(there.got) == 2
    assert there.got[0][1]["webhook-id"] == there.got[1][1]["webhook-id"]
    assert troubles(events) == []


def test_a_receiver_that_refuses_is_told_of(carry_out, lab, store, receiver, troubles):
    """Once, without the secret part of its address; the study is done all the same."""
    there = receiver((403,))
    study = store.create_study(lab.plan(trials=2))
    events = carry_out(study.study_id, webhook={"url": f"{there.url}/s3cr3t"})
    assert troubles(events) == [("webhook", f"failed: NotDelivered: {there.url} answers 403")]
    assert len(there.got) == 1
    assert store.study(study.study_id).state is StudyState.DONE


def test_it_is_signed_with_the_secret_of_the_environment(carry_out, lab, store, receiver, monkeypatch, tmp_path):
    """The secret itself is nowhere."""
    from openai import OpenAI

    monkeypatch.setenv("TUNEWRIGHT_WEBHOOK_SECRET", "canary-91f0")
    there = receiver()
    carry_out(store.create_study(lab.plan(trials=2)).study_id, webhook={"url": there.url})
    arrived(there)
    ((_, headers, body),) = there.got
    OpenAI(api_key="none", webhook_secret="canary-91f0").webhooks.verify_signature(body, headers)
    assert all(b"canary-91f0" not in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_a_study_that_failed_before_it_began_is_told(lab, store, receiver):
    """Nobody watched it: it was queued, and its process could not take it up."""
    there = receiver()
    study = store.create_study(lab.plan(trials=2))
    store.set_state(study.study_id, StudyState.FAILED, "the base model is gone")
    tell_ended(Webhook(url=there.url), store.study(study.study_id), store)
    (notice,) = arrived(there)
    assert (notice["event"], notice["study"]) == ("failed", "1")


def test_a_queued_study_that_cannot_begin_reaches_the_webhook(lab, store, receiver, tmp_path, monkeypatch):
    """Through the process that works off the queue, with its own config file."""
    from agent.desk.dispatch import work_off

    there = receiver()
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(f'[webhook]\nurl = "{there.url}"\nevents = ["failed"]\n')
    study = store.create_study(lab.plan(trials=2))  # its data were never prepared
    store.enqueue(study.study_id)
    work_off(tmp_path)
    assert store.study(study.study_id).state is StudyState.FAILED
    (notice,) = arrived(there)
    assert (notice["event"], notice["study"]) == ("failed", study.study_id)


def test_a_plan_that_waits_is_told_once(lab, receiver):
    """With what it is about and its hash; not with the person's words."""
    there = receiver()
    approvals, plan = Approvals(Webhook(url=there.url), after_seconds=0.05), lab.plan(trials=7)
    approvals.waits(plan)
    approvals.waits(plan)
    (notice,) = arrived(there)
    time.sleep(0.3)
    assert len(there.got) == 1
    assert (notice["event"], notice["plan_hash"]) == ("approval", plan.plan_hash)
    assert "classification" in notice["text"]
    assert "7 trials" in notice["text"]
    assert plan.request not in json.dumps(notice)


def test_a_plan_that_is_started_at_once_is_not_told(lab, receiver):
    """A program that plans and starts needs no approval of anybody."""
    there = receiver()
    approvals, plan = Approvals(Webhook(url=there.url), after_seconds=0.2), lab.plan()
    approvals.waits(plan)
    approvals.started(plan.plan_hash)
    time.sleep(0.5)
    assert there.got == []


def test_only_an_unattended_desk_tells_of_plans(lab, settings, receiver):
    """At a terminal somebody is looking already."""
    from agent.request.draft import NO_OVERRIDES, Draft

    there = receiver()
    watching = settings(webhook={"url": there.url})
    for unattended in (False, True):
        with Desk(watching, unattended=unattended) as desk:
            desk._approvals._after_seconds = 0.05
            desk.keep(lab.plan(), Draft(), NO_OVERRIDES, "embedded")
            arrived(there, int(unattended), 5.0)
            time.sleep(0.2)
        assert len(there.got) == int(unattended)
