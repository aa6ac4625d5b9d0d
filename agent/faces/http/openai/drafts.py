"""A fine-tuning job in OpenAI's shape as a draft: every value quotes the words of the request it stands in."""

import json
from pathlib import Path

from agent.desk.desk import Desk, Planned
from agent.errors import InputError
from agent.faces.http.openai.shapes import AUTO, OUR_NAMES, JobRequest
from agent.faces.http.plans import check_spec_file
from agent.faces.http.service import Service
from agent.request.draft import Draft, Overrides, answered
from agent.study.desk_rows import StoredFile
from trainers.spec import Intent, Task

FIRST_BYTES = 16 * 1024 * 1024


def plan_of_job(service: Service, form: JobRequest) -> Planned:
    """The plan of a job. Raises InputError for files that are not there and options that do not fit."""
    desk, beyond = service.desk, form.tunewright
    training = _file(desk, form.training_file, "training_file")
    validation = _file(desk, form.validation_file, "validation_file") if form.validation_file else None
    task, hyperparameters = _task(form, training), form.stated
    if hyperparameters.beta is not None and task is not Task.PREFERENCE:
        raise InputError("hyperparameters.beta", "belongs to preference tuning (dpo).", "Leave it out.")
    llm, draft, calls = service.planner(beyond.llm), Draft(), tuple[int, ...]()
    if beyond.request is not None:
        check_spec_file(beyond.request, service.settings)
        draft, calls = desk.read(beyond.request, llm=llm)
    words, statements = _words_and_statements(form, training, validation, task)
    for field, value, quote in statements:
        draft = answered(draft, field, value, quote)
    multiplier = hyperparameters.learning_rate_multiplier
    return desk.plan_draft(
        words,
        draft,
        overrides=Overrides(trials=beyond.trials, seconds=beyond.seconds),
        llm=llm,
        calls=calls,
        learning_rate_multiplier=None if multiplier == AUTO else multiplier,
    )


def _words_and_statements(
    form: JobRequest, training: StoredFile, validation: StoredFile | None, task: Task | None
) -> tuple[str, list[tuple[str, str, str]]]:
    """The job in words, as lists of studies show it, and (field of the spec, value, words that say it) of each part."""
    beyond, words = form.tunewright, [f"fine-tune {form.model} on {training.filename}"]
    statements = [
        ("intent", str(Intent.TRAIN), "fine-tune"),
        ("base_model", form.model, form.model),
        ("data.train", training.path, training.filename),
    ]
    if form.method is not None:
        words.append(form.method.type)
    if task is not None:
        statements.append(("task", str(task), form.method.type if form.method else training.filename))
    if validation is not None:
        words.append(f"validation {validation.filename}")
        statements.append(("data.validation", validation.path, validation.filename))
    for name, number in form.stated.model_dump(exclude_none=True).items():
        if number != AUTO:
            words.append(f"{name} {number:g}")
            if name != "learning_rate_multiplier":  # the default it multiplies is known once there is a plan
                statements.append((f"search.{OUR_NAMES[name]}", str(number), words[-1]))
    for field, value in (("objective.metric", beyond.metric), ("loss", beyond.loss)):
        if value is not None:
            words.append(str(value))
            statements.append((field, str(value), str(value)))
    if form.seed is not None:
        words.append(f"seed {form.seed}")
        statements.append(("seed", str(form.seed), words[-1]))
    if beyond.request is not None:
        words.append(beyond.request)
    return ", ".join(words), statements


def _file(desk: Desk, file_id: str, param: str) -> StoredFile:
    try:
        file = desk.store.file(file_id)
    except InputError as error:
        rule = f"there is no file {file_id[:80]!r}."
        raise InputError(param, rule, "Upload it with purpose fine-tune first.", "no_such_file") from error
    if file.purpose != "fine-tune":
        rule = f"{file_id} was uploaded for {file.purpose!r}, not for fine-tuning."
        raise InputError(param, rule, "Upload it with purpose fine-tune.", "bad_input")
    return file


def _task(form: JobRequest, training: StoredFile) -> Task | None:
    """What the method and the first row say; None where the data must be looked at as a whole."""
    columns = _first_columns(Path(training.path))
    pairs, dpo = {"chosen", "rejected"} <= columns, form.method is not None and form.method.type == "dpo"
    if pairs and form.method is not None and not dpo:
        rule = "the training file holds preference pairs, and the method is supervised."
        raise InputError("method", rule, 'Use method {"type": "dpo"}.')
    if pairs or dpo:
        return Task.PREFERENCE
    if "messages" in columns:
        return Task.SFT
    return Task.CLASSIFICATION if {"text", "label"} <= columns else None


def _first_columns(path: Path) -> set[str]:
    """The columns of the first row of JSON lines; none where it is another kind of file."""
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return set()
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline(FIRST_BYTES))
    except (OSError, ValueError, RecursionError):
        return set()
    return set(row) if isinstance(row, dict) else set()
