"""The main job through the command line, with real workers on a tiny model: run, kill -9, resume, report."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.study.lock import owner_pid

FRUIT, CAR = ("apple", "pear", "plum", "fig", "peach", "grape"), ("engine", "wheel", "brake", "gear", "clutch", "axle")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small base model, a csv that is easy to learn, and a home."""
    from trainers.tiny_causal import build_tiny_causal

    place = tmp_path_factory.mktemp("work")
    build_tiny_causal(place / "tiny")
    rng = random.Random(0)
    rows = ["text,label"]
    for number in range(200):
        words, label = ((FRUIT, "fruit"), (CAR, "car"))[number % 2]
        rows.append(f"{' '.join(rng.choices(words, k=4))} number {number},{label}")
    (place / "things.csv").write_text("\n".join(rows))
    spec = {
        "task": "classification",
        "base_model": "./tiny",
        "data": {"train": "things.csv"},
        "budget": {"trials": 3},
        "search": {"epochs": 1, "batch_size": 16, "lora_rank": {"choices": [2, 4]}},
        "output": {"merge": True},
    }
    (place / "spec.yaml").write_text(json.dumps(spec))
    return place


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    """`tunewright ARGUMENTS` in `place` with a home there."""
    environment = {**os.environ, "TUNEWRIGHT_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.faces.cli", *arguments],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tunewright(place: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    process = start(place, *arguments)
    out, err = process.communicate(timeout=280)
    return process.returncode, out, err


def said(place: Path, *arguments: str) -> Any:
    """The JSON object of a command that must succeed."""
    code, out, err = tunewright(place, *arguments, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def workers(place: Path) -> set[int]:
    """Process ids of the worker and test-opening processes that work below `place`."""
    found = set()
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        ours = (process.info["cwd"] or "").startswith(str(place))
        if ours and ("tools.worker" in line or "tools.open_test" in line):
            found.add(process.pid)
    return found


@pytest.fixture(scope="module")
def killed(workplace: Path) -> dict[str, Any]:
    """A study whose command and queue are killed with -9 while its second trial trains, and what was left then."""
    process = start(workplace, "run", "spec.yaml", "--yes", "--json")
    assert process.stdout is not None
    seen: list[dict[str, Any]] = []
    for line in process.stdout:
        event = json.loads(line)
        seen.append(event)
        if event.get("kind") == "attempt_started" and event["trial_id"] == "1-1":
            break
    assert seen, process.stderr.read() if process.stderr else ""
    queue_process = owner_pid(workplace / "home" / "studies" / "1")
    assert queue_process
    process.send_signal(signal.SIGKILL)  # first: whoever follows starts the queue again
    process.wait()
    os.kill(queue_process, signal.SIGKILL)
    time.sleep(3.0)
    return {"orphans": workers(workplace), "trials": said(workplace, "show", "1")["trials"]}


@pytest.fixture(scope="module")
def resumed(workplace: Path, killed: dict[str, Any]) -> dict[str, Any]:
    """The same study after `tunewright resume`."""
    code, out, err = tunewright(workplace, "resume", "1")
    assert code == 0, err
    return {"out": out, "trials": said(workplace, "show", "1")["trials"], "report": said(workplace, "report", "1")}


def test_kill_leaves_no_orphan(killed: dict[str, Any]) -> None:
    """Workers end with the coordinator, however it ends."""
    assert killed["orphans"] == set()


def test_resume_does_not_rerun_what_was_finished(killed: dict[str, Any], resumed: dict[str, Any]) -> None:
    """A finished trial has one attempt and the score it had before the kill."""
    finished = {t["trial_id"]: (t["score"], t["attempts"]) for t in killed["trials"] if t["state"] == "COMPLETE"}
    assert set(finished) == {"1-0"}
    after = {t["trial_id"]: (t["score"], t["attempts"]) for t in resumed["trials"]}
    assert {name: after[name] for name in finished} == finished


def test_resumed_study_completes_with_its_whole_budget(resumed: dict[str, Any]) -> None:
    """Three search trials and the confirm runs, all over; the interrupted one ran again."""
    search = [t for t in resumed["trials"] if t["phase"] == "search"]
    assert [t["state"] for t in search] == ["COMPLETE"] * 3
    assert {t["state"] for t in resumed["trials"]} == {"COMPLETE"}
    assert search[1]["attempts"] == 2


def test_report_holds_what_design_asks_for(resumed: dict[str, Any]) -> None:
    """The keys that other programs rely on, and one opening of the test split."""
    report = resumed["report"]
    wanted = {"plan_hash", "default", "best", "gain", "test_openings", "trials", "budget", "deviations", "data"}
    assert wanted | {"environment"} <= set(report)
    assert {"value", "ci95", "p_value", "distinguishable"} <= set(report["gain"])
    assert report["test_openings"] == 1
    assert report["trials"]["failed"] == 0


def test_terminal_report_names_default_and_interval(resumed: dict[str, Any]) -> None:
    """What a person reads at the end."""
    assert "default" in resumed["out"]
    assert "95" in resumed["out"]


def test_adapter_can_be_asked_scored_exported_and_merged(workplace: Path, resumed: dict[str, Any]) -> None:
    """The product of a study is used by its directory."""
    adapter = workplace / "home" / "studies" / "1" / "output" / "adapter"
    assert set(said(workplace, "generate", str(adapter), "pear fig plum")["probabilities"]) == {"fruit", "car"}
    scored = said(workplace, "evaluate", str(adapter), "things.csv", "--max-rows", "40")
    assert scored["n_rows"] == 40
    assert scored["ci95"][0] <= scored["score"] <= scored["ci95"][1]
    assert said(workplace, "export", "1", "--out", "plain")["merged"] is False
    merged = said(workplace, "export", "1", "--out", "merged", "--merge")
    assert merged["max_logit_difference"] < 1e-3
    assert (workplace / "merged" / "model.safetensors").exists()


def test_merged_model_is_written_where_the_spec_asks_for_it(workplace: Path, resumed: dict[str, Any]) -> None:
    """`output.merge` hands back a full model beside the adapter; it opens without PEFT."""
    merged = workplace / "home" / "studies" / "1" / "output" / "merged"
    assert (merged / "model.safetensors").exists()
    assert not (merged / "adapter_config.json").exists()
    assert set(said(workplace, "generate", str(merged), "pear fig plum")["probabilities"]) == {"fruit", "car"}


def test_views_of_a_study(workplace: Path, resumed: dict[str, Any]) -> None:
    """Status, events, logs and explanations are read from the store."""
    assert said(workplace, "status", "1")["state"] == "DONE"
    code, out, _ = tunewright(workplace, "events", "1", "--json")
    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    assert (code, kinds[-1], kinds.count("test_opened")) == (0, "study_ended", 1)
    assert said(workplace, "explain", "1", "0")["proposed_by"] == "default"
    assert "worker-cpu0.log" in said(workplace, "logs", "1")["logs"]
    for verb in ("status", "show", "report"):
        code, out, err = tunewright(workplace, verb)
        assert code == 0, err
        assert out.strip()


def test_unknown_study_is_named_with_those_there_are(workplace: Path, resumed: dict[str, Any]) -> None:
    """A wrong id is bad input, not a traceback."""
    code, _, err = tunewright(workplace, "show", "99")
    assert code == 2
    assert "no study '99'; studies here: 1" in err


def test_plain_request_on_a_spec_that_is_approved_by_hash(workplace: Path) -> None:
    """Approval binds to the hash: another one is refused with exit code 3 and nothing is done."""
    request = "classify things.csv with ./tiny, 2 trials"
    planned = said(workplace, "plan", request)
    assert planned["ready"], planned
    code, _, err = tunewright(workplace, "run", request, "--approve", "0" * 12)
    assert code == 3
    assert planned["plan_hash"][:12] in err
    code, _, err = tunewright(workplace, "run", request)
    assert (code, "--yes" in err) == (3, True)


def test_a_planner_that_cannot_be_opened_leaves_no_study(workplace: Path, resumed: dict[str, Any]) -> None:
    """A cap in dollars on a model of unknown price is bad input; it is told before there is a study."""
    spec = json.loads((workplace / "spec.yaml").read_text())
    (workplace / "capped.yaml").write_text(json.dumps(spec | {"budget": {"trials": 3, "llm_usd": 1}}))
    before = said(workplace, "status")["studies"]
    code, _, err = tunewright(workplace, "run", "capped.yaml", "--llm", "https://llm.example/v1#m", "--yes")
    assert (code, "TUNEWRIGHT_LLM_PRICE" in err) == (2, True)
    assert said(workplace, "status")["studies"] == before


def test_sigterm_and_a_closed_pipe_leave_a_study_to_resume(workplace: Path, resumed: dict[str, Any]) -> None:
    """Both end the run with exit code 130 and a hint; the study is CANCELLED, not FAILED, and no process is left."""
    process = start(workplace, "run", "spec.yaml", "--yes", "--json")
    assert process.stdout is not None
    while "attempt_started" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    study = said(workplace, "status")["studies"][-1]
    assert (process.returncode, study["state"]) == (130, "CANCELLED")
    assert f"tunewright resume {study['study']}" in err
    process = start(workplace, "resume", study["study"], "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 130
    assert said(workplace, "status", study["study"])["state"] == "CANCELLED"
    assert not workers(workplace)
