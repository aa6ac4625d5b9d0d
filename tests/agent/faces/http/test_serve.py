"""The server as a process: where it listens, who may start it, what it leaves."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agent.desk.desk import Desk
from agent.faces.http.serve import NoServer, Serving, print_link, running_server, serve
from agent.settings import load_settings
from agent.study.store import Store
from tests.agent.faces.http.conftest import quiet_queue, serving, until


def tunewright(running, *arguments, cwd=None):
    """Run a command in the server's home."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "agent.faces.cli", *arguments],
        env=os.environ | {"TUNEWRIGHT_HOME": str(running.home)},
        cwd=cwd or running.home.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_it_listens_on_loopback_only(running):
    """No other address of this machine answers."""
    port = int(running.url.rpartition(":")[2])
    listening = [
        line.split()
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert [fields[1].rpartition(":")[0] for fields in listening] == ["0100007F"]


def test_what_it_writes_is_private(running):
    """Token and address are for the owner only; the address holds no token."""
    for name in ("server.token", "server.json"):
        assert stat.S_IMODE((running.home / name).stat().st_mode) == 0o600
    assert running.token not in (running.home / "server.json").read_text()
    assert running_server(running.home).url == running.url


def test_no_secret_is_logged_or_given_to_children(running):
    """Neither token nor login code; nor are they in the process's arguments."""
    httpx.get(running.login, follow_redirects=False)
    httpx.get(f"{running.url}/healthz", headers={"Authorization": f"Bearer {running.token}"})
    log = (running.home.parent / "server.log").read_text()
    arguments = Path(f"/proc/{running.process.pid}/cmdline").read_bytes().decode()
    for secret in (running.token, running.login.partition("code=")[2]):
        assert secret not in log + arguments


def test_a_home_has_one_server(running):
    """The second says where the first is."""
    told = tunewright(running, "serve", "--port", "0")
    assert told.returncode == 1
    assert f"served already at {running.url}" in told.stderr


def test_another_link_logs_in(running):
    """Without a restart."""
    link = tunewright(running, "serve", "--link").stdout.strip()
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(link)
        assert (page.status_code, page.url.path) == (200, "/")
        assert browser.get(f"{running.url}/openapi.json").json()["info"]["title"] == "tunewright"
        assert "<script" in browser.get(f"{running.url}/docs").text


def test_the_official_client_talks_to_it(running):
    """Over a real connection: files, models, jobs, errors of the right classes."""
    import openai

    client = running.openai()
    rows = [{"text": f"the {w} {i}", "label": w} for i in range(40) for w in ("refund", "parcel")]
    content = "\n".join(map(json.dumps, rows)).encode()
    file = client.files.create(file=("rows.jsonl", content), purpose="fine-tune")
    assert client.files.wait_for_processing(file.id).status == "processed"
    assert client.files.content(file.id).read() == content
    job = client.fine_tuning.jobs.create(model="sentence-transformers/all-MiniLM-L6-v2", training_file=file.id)
    assert client.fine_tuning.jobs.retrieve(job.id).status == "queued"
    assert job.id in [one.id for one in client.fine_tuning.jobs.list(limit=1)]
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.resume(job.id).status == "queued"
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    assert client.fine_tuning.jobs.list_events(job.id).data == []
    assert client.fine_tuning.jobs.checkpoints.list(job.id).data == []
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.fine_tuning.jobs.create(model="x", training_file=file.id)
    assert caught.value.param == "training_file"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="wrong", max_retries=0).models.list()


def test_a_large_upload_passes_through_a_small_process(running):
    """Eighty megabytes, while the process grows by a fraction of them."""
    status = Path(f"/proc/{running.process.pid}/status")

    def peak():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])

    before = peak()
    content = b'{"text": "some words of text", "label": "x"}\n' * 1_800_000
    file = running.openai().files.create(file=("big.jsonl", content), purpose="user_data")
    assert file.bytes == len(content)
    assert peak() - before < 20_000  # KiB


def test_stopping_leaves_studies_alone_and_cleans_up(tmp_path, lab):
    """SIGTERM ends it in good order at once, streams included, and says that studies go on."""
    home = tmp_path / "home"
    home.mkdir()
    with quiet_queue(home), serving(home, tmp_path) as running:
        with Store.open(load_settings(home=running.home).database) as store:
            study = store.create_study(lab.plan()).study_id
            store.enqueue(study)
        headers = {"Authorization": f"Bearer {running.token}"}
        with httpx.stream("GET", f"{running.url}/v1/studies/{study}/events?stream=1", headers=headers) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            running.process.send_signal(signal.SIGTERM)
            assert "".join(lines) == ""
        assert running.process.wait(15) == 0
        assert "ERROR" not in (tmp_path / "server.log").read_text()
        assert "studies go on" in (tmp_path / "server.log").read_text()
        assert not (running.home / "server.json").exists()
        assert running_server(running.home) is None


@pytest.mark.slow
def test_after_a_kill_another_may_start_with_the_same_token(tmp_path):
    """What it left is not in the way; `--new-token` shuts out who had the old one."""
    with serving(tmp_path / "home", tmp_path) as first:
        token = first.token
        first.process.kill()
        first.process.wait()
        assert running_server(first.home) is None
        with serving(first.home, tmp_path) as second:
            assert second.token == token
    with serving(first.home, tmp_path, "--new-token") as third:
        assert third.token != token


def test_queued_studies_are_taken_up_by_the_server(tmp_path, lab_plan):
    """Nobody else is there to start the process that works them off."""
    with Desk(load_settings()) as desk:
        study = desk.store.create_study(lab_plan).study_id
        desk.store.enqueue(study)
        with serving(desk.settings.home, tmp_path):
            until(lambda: desk.store.queue() == [], 60)
        assert desk.status(study).state == "FAILED"  # its data do not exist


@pytest.fixture
def lab_plan(request):
    """A plan that is ready, of data that do not exist."""
    return request.getfixturevalue("lab").plan()


def test_only_loopback_without_names(tmp_path):
    """Whoever opens it to others must say how it is called."""
    for host in ("0.0.0.0", "::", "192.168.0.1"):
        with pytest.raises(Exception, match="must be given"):
            serve(load_settings(), Serving(host=host), as_json=False)


def test_a_port_that_is_taken_is_told(tmp_path):
    """With what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Exception, match="cannot be listened on"):
            serve(load_settings(), Serving(port=taken.getsockname()[1]), as_json=False)


def test_no_server_is_told(tmp_path):
    """With the command that starts one; nothing is made."""
    with pytest.raises(NoServer, match="tunewright serve"):
        print_link(load_settings(), as_json=False)
    assert not load_settings().home.exists()
