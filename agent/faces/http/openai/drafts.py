"""A fine-tuning job in OpenAI's shape as a draft: every value quotes the words of the request it stands in."""

from agent.desk.desk import Desk, Planned
from agent.errors import InputError
from agent.faces.http.openai.shapes import AUTO, JobRequest
from agent.faces.http.plans import check_spec_file
from agent.faces.http.service import Service
from agent.request.answer import answered
from agent.request.draft import Draft, Overrides
from agent.study.desk_rows import StoredFile
from trainers.spec import Intent, Task


def planned_job(service: Service, asked: JobRequest) -> Planned:
    """The plan of a job. Raises InputError for files that are not there and options that do not fit."""
    desk, beyond = service.desk, asked.tunewright
    training = _file(desk, asked.training_file, "training_file")
    validation = _file(desk, asked.validation_file, "validation_file") if asked.validation_file else None
    method, hyperparameters = asked.method.type if asked.method else None, asked.stated
    if hyperparameters.beta is not None and method != "dpo":
        rule = "belongs to preference tuning (dpo)."
        raise InputError("hyperparameters.beta", rule, 'Leave it out, or use method {"type": "dpo"}.')
    llm, draft = service.planner(beyond.llm), Draft()
    if beyond.request is not None:
        check_spec_file(beyond.request, service.settings)
        draft, _ = desk.read(beyond.request, llm=llm)
    for field, value, quote in _statements(asked, training, validation):
        draft = answered(draft, field, value, quote)
    multiplier = hyperparameters.learning_rate_multiplier
    planned = desk.plan_draft(
        words_of(asked, training, validation),
        draft,
        overrides=Overrides(trials=beyond.trials, seconds=beyond.seconds),
        llm=llm,
        learning_rate_multiplier=None if multiplier == AUTO else multiplier,
    )
    if method == "supervised" and planned.plan.spec is not None and planned.plan.spec.task is Task.PREFERENCE:
        rule = "the training file holds preference pairs, and the method is supervised."
        raise InputError("method", rule, 'Use method {"type": "dpo"}.')
    return planned


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
    """The hyperparameters that are numbers."""
    stated = asked.stated.model_dump(exclude_none=True)
    return {name: value for name, value in stated.items() if value != AUTO}


def _statements(asked: JobRequest, training: StoredFile, validation: StoredFile | None) -> list[tuple[str, str, str]]:
    """(field of the spec, value, words that say it) of all that the job states."""
    beyond, fixed = asked.tunewright, _fixed(asked)
    statements = [
        ("intent", str(Intent.TRAIN), "fine-tune"),
        ("base_model", asked.model, asked.model),
        ("data.train", training.path, training.filename),
    ]
    if asked.method is not None and asked.method.type == "dpo":
        statements.append(("task", str(Task.PREFERENCE), "dpo"))
    if validation is not None:
        statements.append(("data.validation", validation.path, validation.filename))
    for field, value in (("objective.metric", beyond.metric), ("loss", beyond.loss)):
        if value is not None:
            statements.append((field, str(value), str(value)))
    if asked.seed is not None:
        statements.append(("seed", str(asked.seed), f"seed {asked.seed}"))
    for name, field in (("n_epochs", "epochs"), ("batch_size", "batch_size"), ("beta", "beta")):
        if name in fixed:
            statements.append((f"search.{field}", str(fixed[name]), f"{name} {fixed[name]:g}"))
    return statements


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
