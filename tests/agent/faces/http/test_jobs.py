"""Fine-tuning jobs in OpenAI's shape: what a body becomes, and how a study is told."""

import json

import pytest

from agent.faces.http.openai.shapes import Job
from agent.faces.http.openai.view import status_of
from agent.llm.calls import LlmCall
from agent.study.nouns import StudyState
from trainers.embedded import MINILM

ROWS = [{"text": f"the {word} number {i} of ticket", "label": word} for i in range(40) for word in ("refund", "parcel")]
CHATS = [
    {"messages": [{"role": "user", "content": f"what is {i}?"}, {"role": "assistant", "content": f"it is the {i}."}]}
    for i in range(40)
]
PAIRS = [
    {
        "input": {"messages": [{"role": "user", "content": f"what is {i}?"}]},
        "preferred_output": [{"role": "assistant", "content": f"it is the number {i}."}],
        "non_preferred_output": [{"role": "assistant", "content": "no idea"}],
    }
    for i in range(40)
]


@pytest.fixture
def upload(client):
    """Upload rows; their file's id."""

    def send(rows):
        text = "\n".join(map(json.dumps, rows))
        body = (
            '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--b\r\n'
            f'Content-Disposition: form-data; name="file"; filename="rows.jsonl"\r\n\r\n{text}\r\n--b--\r\n'
        )
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return client.post("/v1/files", content=body.encode(), headers=headers).json()["id"]

    return send


def create(client, status=200, **body):
    """Ask for a job; what was answered."""
    answer = client.post("/v1/fine_tuning/jobs", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_numbers_are_kept_and_auto_is_searched(client, service, upload):
    """The multiplier is one of the default learning rate; each value says that the user gave it."""
    file = upload(ROWS)
    hyperparameters = {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 0.5}
    method = {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}
    job = create(client, model=MINILM, training_file=file, method=method, seed=3, suffix="mine", metadata={"a": "b"})
    assert job["hyperparameters"] == {**hyperparameters, "beta": None}
    assert (job["status"], job["seed"], job["suffix"], job["metadata"]) == ("queued", 3, "mine", {"a": "b"})
    plan = service.desk.study("1").plan
    assert plan.spec.search.epochs == 2
    assert plan.spec.search.learning_rate == pytest.approx(2.5e-4)
    assert "batch_size" in plan.space.free
    for field in ("base_model", "data.train", "search.epochs", "search.learning_rate", "seed"):
        found = plan.provenance[field]
        assert found.source == "user"
        assert found.quote in plan.request
    assert service.desk.store.submission(study_id="1").face == "openai"


@pytest.mark.parametrize(
    ("rows", "method", "task"),
    [(CHATS, None, "sft"), (PAIRS, {"type": "dpo"}, "preference"), (PAIRS, None, "preference")],
)
def test_the_rows_say_what_is_learnt(client, service, upload, rows, method, task):
    """Chats are answers to learn, pairs are preferences."""
    more = {} if method is None else {"method": method}
    job = create(client, model="embedded:tiny-causal", training_file=upload(rows), **more)
    assert service.desk.study("1").spec.task == task
    assert job["method"]["type"] == ("dpo" if task == "preference" else "supervised")


def test_beta_is_kept(client, service, upload):
    """And the preference loss that OpenAI has no field for."""
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}
    more = {"tunewright": {"trials": 2, "loss": "ipo", "request": "with rank 16"}}
    create(client, model="embedded:tiny-causal", training_file=upload(PAIRS), method=method, **more)
    spec = service.desk.study("1").spec
    assert (spec.search.beta, spec.loss, spec.budget.trials, spec.search.lora_rank) == (0.2, "ipo", 2, 16)


def test_what_the_planner_spent_on_the_wishes_is_the_studys(client, service, upload, monkeypatch):
    """As it is for a request in words alone."""
    desk, read = service.desk, service.desk.read
    call = LlmCall(
        prompt_name="draft",
        prompt_sha256="0" * 64,
        text="with rank 16",
        model="openai:x",
        prompt_tokens=70,
        completion_tokens=30,
        cost_usd=0.01,
    )

    def read_by_llm(text, **options):
        draft, _ = read(text, **options)
        return draft, (desk.store.log_llm_call(call),)

    monkeypatch.setattr(desk, "read", read_by_llm)
    create(client, model=MINILM, training_file=upload(ROWS), tunewright={"request": "with rank 16"})
    assert desk.store.llm_spending("1") == (100, 0.01)


def test_a_validation_file_is_used(client, service, upload):
    """Instead of a part of the training rows."""
    files = {"training_file": upload(ROWS), "validation_file": upload(ROWS[:20])}
    job = create(client, model=MINILM, **files)
    assert {name: job[name] for name in files} == files
    study = service.desk.study("1")
    assert study.spec.data.validation == service.desk.store.file(files["validation_file"]).path


REFUSED = {
    "training_file": {"training_file": "file-0123456789abcdef"},
    "method": {"method": {"type": "reinforcement"}},
    "hyperparameters.n_epochs": {"hyperparameters": {"n_epochs": 0}},
    "hyperparameters.beta": {"hyperparameters": {"beta": 0.1}},
    "suffix": {"suffix": "../x"},
    "seed": {"seed": -1},
    "integrations": {"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]},
    "metadata": {"metadata": {str(i): "x" for i in range(17)}},
    "tunewright.trials": {"tunewright": {"trials": 0}},
    "tunewright.metric": {"tunewright": {"metric": "bleu"}},
    "nonsense": {"nonsense": 1},
}


@pytest.mark.parametrize("param", REFUSED)
def test_what_cannot_be_done_names_the_field(client, upload, param):
    """In the words of this API; nothing is queued."""
    error = create(client, 400, **({"model": MINILM, "training_file": upload(ROWS)} | REFUSED[param]))["error"]
    assert error["param"] == param
    assert error["message"]
    assert client.get("/v1/fine_tuning/jobs").json()["data"] == []


def test_a_model_that_is_not_here_is_not_replaced(client, upload):
    """Not even one that everybody knows."""
    error = create(client, 400, model="gpt-4o-mini-2024-07-18", training_file=upload(ROWS))["error"]
    assert error["param"] == "model"


def test_hyperparameters_given_twice_must_agree(client, upload):
    """Else which of them is meant?"""
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}
    body = {"model": MINILM, "training_file": upload(ROWS), "method": method, "hyperparameters": {"n_epochs": 2}}
    assert create(client, 400, **body)["error"]["param"] == "hyperparameters"


def test_an_idempotency_key_gives_the_same_job(client, upload):
    """Other hyperparameters under it are a conflict."""
    body = {"model": MINILM, "training_file": upload(ROWS)}
    key = {"Idempotency-Key": "k"}
    jobs = [client.post("/v1/fine_tuning/jobs", json=body, headers=key).json()["id"] for _ in range(2)]
    assert jobs == ["ftjob-1", "ftjob-1"]
    other = client.post("/v1/fine_tuning/jobs", json={**body, "seed": 5}, headers=key)
    assert other.status_code == 409


def test_jobs_are_listed_in_pages_and_by_metadata(client, service, lab):
    """Newest first; `after` is the last id of the page before."""
    for _ in range(5):
        service.desk.store.create_study(lab.plan())
    first = client.get("/v1/fine_tuning/jobs?limit=2").json()
    assert ([j["id"] for j in first["data"]], first["has_more"]) == (["ftjob-5", "ftjob-4"], True)
    rest = client.get("/v1/fine_tuning/jobs?limit=3&after=ftjob-4").json()
    assert ([j["id"] for j in rest["data"]], rest["has_more"]) == (["ftjob-3", "ftjob-2", "ftjob-1"], False)
    assert client.get("/v1/fine_tuning/jobs?metadata[a]=b").json()["data"] == []


def test_a_finished_study_is_a_job_that_succeeded(client, service, lab):
    """Model, result file, checkpoints, events; whoever started it."""
    study = service.desk.store.create_study(lab.plan(trials=2)).study_id
    lab.run(service.desk.store, study)
    job = Job.model_validate(client.get("/v1/fine_tuning/jobs/ftjob-1").json())
    assert (job.status, job.result_files, job.error) == ("succeeded", ("file-results-1",), None)
    assert job.fine_tuned_model == "ft:none:tunewright::1"
    assert job.fine_tuned_model in {m["id"] for m in client.get("/v1/models").json()["data"]}
    assert client.get(f"/v1/models/{job.fine_tuned_model}").json()["owned_by"] == "tunewright"
    assert client.get("/v1/files/file-results-1/content").text.startswith("trial,phase,step")
    page = client.get("/v1/fine_tuning/jobs/ftjob-1/checkpoints?limit=2").json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    numbers = [int(c["id"].rpartition("-")[2]) for c in page["data"]]
    assert numbers == sorted(numbers, reverse=True)
    events = client.get("/v1/fine_tuning/jobs/ftjob-1/events?limit=500").json()["data"]
    assert events[0]["message"] == "The study has ended: done."
    older = client.get(f"/v1/fine_tuning/jobs/ftjob-1/events?after={events[1]['id']}&limit=500").json()["data"]
    assert older == events[2:]


def test_states_in_their_words(service, lab):
    """Queued, paused, cancelled, failed; one that nobody goes on with is paused, not lost."""
    desk, store = service.desk, service.desk.store
    study = store.create_study(lab.plan()).study_id
    seen = [status_of(desk.status(study))]
    store.enqueue(study)
    seen.append(status_of(desk.status(study)))
    seen.append(status_of(desk.pause(study)))
    seen.append(status_of(desk.cancel(study)))
    store.set_state(study, StudyState.FAILED, "x")
    seen.append(status_of(desk.status(study)))
    assert seen == ["paused", "queued", "paused", "cancelled", "failed"]


def test_a_job_is_controlled(client, upload):
    """Pause, resume, cancel."""
    create(client, model=MINILM, training_file=upload(ROWS))
    states = [client.post(f"/v1/fine_tuning/jobs/ftjob-1/{verb}").json()["status"] for verb in CONTROL]
    assert states == ["paused", "queued", "cancelled"]


CONTROL = ("pause", "resume", "cancel")


@pytest.mark.parametrize("job", ["ftjob-9", "1", "ftjob-", "ftjob-1x", "ftjob-" + "9" * 30])
def test_jobs_that_are_not_there(client, job):
    """404 for every verb."""
    for verb, path in [("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/checkpoints")]:
        assert client.request(verb, f"/v1/fine_tuning/jobs/{job}{path}").status_code == 404
