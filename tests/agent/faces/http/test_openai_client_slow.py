"""The official client against a real server and real training: the whole life of a job, and a queue that survives."""

import json
import time

import httpx
import pytest

from agent.desk.desk import Desk
from agent.desk.dispatch import dispatcher_pid
from agent.settings import load_settings
from tests.agent.faces.http.conftest import serving, until

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
ROWS = [{"text": f"the {w} number {i} of my ticket", "label": w} for i in range(60) for w in ("refund", "parcel")]
SHORT = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 32}}}
MINUTES = 60.0


def uploaded(client):
    """The id of a small training file."""
    content = "\n".join(map(json.dumps, ROWS)).encode()
    return client.files.create(file=("rows.jsonl", content), purpose="fine-tune").id


def stop(home):
    """End the process that works off the queue of `home`."""
    import os
    import signal

    if (pid := dispatcher_pid(home)) is not None:
        os.kill(pid, signal.SIGTERM)
        until(lambda: dispatcher_pid(home) is None, 60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_life_of_a_job(tmp_path):
    """Upload, create, stream events, list checkpoints, use the model; cancel another one that runs."""
    from openai._streaming import Stream
    from openai.types.fine_tuning import FineTuningJobEvent

    home = tmp_path / "home"
    with serving(home, tmp_path) as server:
        client = server.openai()
        job = client.fine_tuning.jobs.create(
            model=MODEL, training_file=uploaded(client), method=SHORT, extra_body={"tunewright": {"trials": 2}}
        )
        events = client.get(
            f"/fine_tuning/jobs/{job.id}/events",
            cast_to=FineTuningJobEvent,
            stream=True,
            stream_cls=Stream[FineTuningJobEvent],
            options={"params": {"stream": True}},
        )
        streamed = [event.message for event in events]
        assert streamed[-1] == "The study has ended: done."
        done = client.fine_tuning.jobs.retrieve(job.id)
        assert (done.status, done.error) == ("succeeded", None)
        assert done.trained_tokens > 0
        listed = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=7)]  # all pages
        assert listed == streamed[::-1]
        checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=3))
        assert len(checkpoints) == 2 + sum("confirm" in message for message in streamed if "proposed" in message)
        assert client.files.content(done.result_files[0]).text.count("\n") > len(checkpoints)
        question = [{"role": "user", "content": "the refund number 3"}]
        answer = client.chat.completions.create(model=done.fine_tuned_model, messages=question)
        assert answer.choices[0].message.content in ("refund", "parcel")

        second = client.fine_tuning.jobs.create(
            model=MODEL, training_file=uploaded(client), extra_body={"tunewright": {"trials": 50}}
        )
        until(lambda: client.fine_tuning.jobs.retrieve(second.id).status == "running", 2 * MINUTES)
        client.fine_tuning.jobs.cancel(second.id)
        until(lambda: client.fine_tuning.jobs.retrieve(second.id).status == "cancelled", 3 * MINUTES)
    stop(home)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_three_jobs_run_in_order_and_survive_a_killed_server(tmp_path):
    """The server is killed while the first one trains; another one finds them where they are, none run twice."""
    home = tmp_path / "home"
    with serving(home, tmp_path) as first:
        client = first.openai()
        file = uploaded(client)
        jobs = [
            client.fine_tuning.jobs.create(
                model=MODEL, training_file=file, method=SHORT, seed=n, extra_body={"tunewright": {"trials": 1}}
            ).id
            for n in range(3)
        ]
        until(lambda: client.fine_tuning.jobs.retrieve(jobs[0]).status == "running", 2 * MINUTES)
        worker = dispatcher_pid(home)
        first.process.kill()
        first.process.wait()
        assert dispatcher_pid(home) == worker, "the study went down with the server"
    with serving(home, tmp_path) as second:
        client = second.openai()
        states = []
        end = time.monotonic() + 30 * MINUTES
        while not states or set(states[-1]) != {"succeeded"}:
            assert time.monotonic() < end, states[-1]
            states.append([client.fine_tuning.jobs.retrieve(job).status for job in jobs])
            assert "failed" not in states[-1], states[-1]
            time.sleep(0.5)
        for one in states:
            assert one.count("running") <= 1
        finished = [client.fine_tuning.jobs.retrieve(job).finished_at for job in jobs]
        assert finished == sorted(finished)
        health = httpx.get(f"{second.url}/healthz", headers={"Authorization": f"Bearer {second.token}"}).json()
        assert health["queue"] == 0
    with Desk(load_settings().model_copy(update={"home": home})) as desk:
        for study in ("1", "2", "3"):
            assert all(trial.attempts == 1 for trial in desk.store.trials(study)), "a trial was run twice"
    stop(home)
