"""A fine-tuning job in OpenAI's shape as a draft: every value quotes the words of the request it stands in."""

import json
from pathlib import Path
from typing import Any

from agent.desk.desk import Desk, Planned
from agent.errors import InputError
from agent.faces.http.openai.shapes import AUTO, JobRequest
from agent.faces.http.plans import check_spec_file
from agent.faces.http.service import Service
from agent.request.draft import Draft, DraftSpec, Overrides, Quote
from agent.request.resolve import resolve
from agent.study.desk_rows import StoredFile
from trainers.spec import Intent, Task

FIRST_BYTES = 16 * 1024 * 1024


def planned_job(service: Service, asked: JobRequest) -> Planned:
    """The plan of a job. Raises InputError for files that are not there and options that do not fit."""
    desk, beyond = service.desk, asked.tunewright
    training = _file(desk, asked.training_file, "training_file")
    validation = _file(desk, asked.validation_file, "validation_file") if asked.validation_file else None
    task = _task(asked, training)
    if asked.stated.beta is not None and task is not Task.PREFERENCE:
        raise InputError("hyperparameters.beta", "belongs to preference tuning (dpo).", "Leave it out.")
    flags = Overrides(trials=beyond.trials, seconds=beyond.seconds)
    llm = service.planner(beyond.llm)
    base = Draft()
    if beyond.request is not None:
        check_spec_file(beyond.request, service.settings)
        base, _ = desk.read(beyond.request, llm=llm)
    request = words_of(asked, training, validation)
    draft = _filled(base, asked, training, validation, task)
    multiplier = asked.stated.learning_rate_multiplier
    if not isinstance(multiplier, float | int):
        return desk.plan_draft(request, draft, overrides=flags, llm=llm)
    settings = service.settings if llm is None else service.settings.model_copy(update={"llm": llm})
    space = resolve(request, draft, settings, flags).plan.space
    if space is None:  # something is open that must be told
        return desk.plan_draft(request, draft, overrides=flags, llm=llm)
    default = space.default()["learning_rate"]
    rate = float(f"{float(default) * multiplier:.6g}")
    quoted = f"learning_rate_multiplier {multiplier:g}"
    draft = _with(draft, {"search.learning_rate": (rate, quoted)})
    return desk.plan_draft(request, draft, overrides=flags, llm=llm)


def words_of(asked: JobRequest, training: StoredFile, validation: StoredFile | None) -> str:
    """The job in words, as lists of studies show it."""
    words = [f"fine-tune {asked.model} on {training.filename}"]
    if asked.method is not None:
        words.append(asked.method.type)
    if validation is not None:
        words.append(f"validation {validation.filename}")
    words += [f"{name} {value:g}" for name, value in _fixed(asked).items()]
    beyond = asked.tunewright
    words += [str(value) for value in (beyond.metric, beyond.loss) if value is not None]
    if asked.seed is not None:
        words.append(f"seed {asked.seed}")
    if beyond.request is not None:
        words.append(beyond.request)
    return ", ".join(words)


def _fixed(asked: JobRequest) -> dict[str, float]:
    stated = asked.stated.model_dump(exclude_none=True)
    return {name: value for name, value in stated.items() if value != AUTO}


def _filled(
    base: Draft, asked: JobRequest, training: StoredFile, validation: StoredFile | None, task: Task | None
) -> Draft:
    beyond, fixed = asked.tunewright, _fixed(asked)
    said: dict[str, tuple[Any, str]] = {
        "intent": (Intent.TRAIN, "fine-tune"),
        "base_model": (asked.model, asked.model),
        "data.train": (training.path, training.filename),
    }
    if task is not None:
        said["task"] = (task, asked.method.type if asked.method else training.filename)
    if validation is not None:
        said["data.validation"] = (validation.path, validation.filename)
    if beyond.metric is not None:
        said["objective.metric"] = (beyond.metric, beyond.metric)
    if beyond.loss is not None:
        said["loss"] = (beyond.loss, beyond.loss)
    if asked.seed is not None:
        said["seed"] = (asked.seed, f"seed {asked.seed}")
    for name, field in (("n_epochs", "epochs"), ("batch_size", "batch_size"), ("beta", "beta")):
        if name in fixed:
            said[f"search.{field}"] = (fixed[name], f"{name} {fixed[name]:g}")
    return _with(base, said)


def _with(draft: Draft, said: dict[str, tuple[Any, str]]) -> Draft:
    """The draft with these fields, as the user's own words."""
    tree = draft.spec.model_dump(mode="json")
    for field, (value, _) in said.items():
        place = tree
        *parents, name = field.split(".")
        for parent in parents:
            place = place[parent]
        place[name] = value
    kept = tuple(q for q in draft.quotes if q.field not in said)
    return draft.model_copy(
        update={
            "spec": DraftSpec.model_validate(tree),
            "quotes": (*kept, *(Quote(field=field, quote=quote) for field, (_, quote) in said.items())),
            "inferred": {field: why for field, why in draft.inferred.items() if field not in said},
            "questions": tuple(q for q in draft.questions if q.field not in said),
        }
    )


def _file(desk: Desk, file_id: str, param: str) -> StoredFile:
    try:
        found = desk.store.file(file_id)
    except InputError as error:
        rule = f"there is no file {file_id[:80]!r}."
        raise InputError(param, rule, "Upload it with purpose fine-tune first.", "no_such_file") from error
    if found.purpose != "fine-tune":
        rule = f"{file_id} was uploaded for {found.purpose!r}, not for fine-tuning."
        raise InputError(param, rule, "Upload it with purpose fine-tune.", "bad_input")
    return found


def _task(asked: JobRequest, training: StoredFile) -> Task | None:
    """What the method and the first row say; None where the data must be looked at as a whole."""
    row = _first_row(Path(training.path))
    pairs = {"chosen", "rejected"} <= set(row)
    if asked.method is not None and asked.method.type == "dpo":
        return Task.PREFERENCE
    if pairs and asked.method is not None:
        rule = "the training file holds preference pairs, and the method is supervised."
        raise InputError("method", rule, 'Use method {"type": "dpo"}.')
    if pairs:
        return Task.PREFERENCE
    if "messages" in row:
        return Task.SFT
    return Task.CLASSIFICATION if {"text", "label"} <= set(row) else None


def _first_row(path: Path) -> dict[str, Any]:
    """The first row of JSON lines; nothing where it is another kind of file."""
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return {}
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline(FIRST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}
