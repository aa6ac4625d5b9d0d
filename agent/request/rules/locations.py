"""Files, hub ids and models in a request, also those without a slash or an extension, and the fields they fill."""

import re

from agent.request.draft import RefusalClass
from agent.request.rules.claims import NOT_WANTED, Reading
from agent.request.rules.paths import Location, find_locations, is_file, is_unsafe
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS

_PHRASES, _ROLES, _NAMES = PHRASES["locations"], PHRASES["roles"], PHRASES["names"]
_COMMON_WORDS = ("opt", "bloom", "falcon", "granite", "electra")
_NO_DIRECTORIES = ("a", "the", "one", "it", "disk", "this", "memory", "full", "safetensors", "gguf", "onnx")


def read_locations(reading: Reading) -> None:
    """Claim data.train, data.validation, data.test, base_model and output.dir, and refuse unsafe paths."""
    locations = find_locations(reading)
    n_files = sum(is_file(location.value) for location in locations)
    for location in locations:
        if reading.follows(NOT_WANTED, location.span):
            reading.text.consume(*location.span)
            continue
        role = _role(reading, location)
        second = role == "data.train" and reading.has(role) and location.kind in ("id", "path")
        if is_unsafe(location.value):
            _refuse(reading, role, location)
        elif role.startswith("data.") and _is_output_file(reading, location, n_files):
            reading.reject("output.dir", location.span, "the output must be a directory and not a file of data")
        elif is_file(location.value) or not second:  # a second id or directory is only mentioned, and no rival
            reading.claim(role, location.value, location.span)
        reading.text.consume(*location.span)
    _read_bare_output(reading)
    _read_bare_model(reading)
    if not reading.has("data.train") and reading.refusal is None:
        _read_bare_dataset(reading)


def _role(reading: Reading, location: Location) -> str:
    """The field a location fills, from the words before it, its form, and what is still open."""
    value, is_data_file = location.value, is_file(location.value)
    after = reading.text.clean[location.span[1] : location.span[1] + 30]
    if location.kind in ("builtin", "model"):
        return "base_model" if location.kind == "model" else _data_role(reading, location)
    modelish = regex(rf"(?<![a-z]){WORDS.model_families}").search(value.lower()) is not None
    evaluated_first = not reading.has("data.train") and reading.follows(r"eval\w* (?:\w+ )?on\W*$", location.span)
    excluded = {
        "output.dir": is_data_file and not is_unsafe(value),
        "base_model": is_data_file or _is_data(value),
        "data.train": modelish and not is_data_file,
        "data.validation": evaluated_first,
    }
    for role, words in _ROLES.items():
        if reading.follows(rf"(?<![\w-]){words}{_PHRASES['articles']}", location.span) and not excluded.get(role):
            return role
    is_set = regex(r"[\"'`]? +(?:data ?set|data|corpus|pairs)(?![\w/.:=-])").match(after)
    if is_data_file or is_set or _is_data(value):
        return _data_role(reading, location)
    tuned = reading.follows(rf"(?<!\w){_PHRASES['tune']}{_PHRASES['articles']}", location.span)
    if modelish or tuned or regex(r"[\"'`]? +(?:model|checkpoint)\b").match(after):
        return "base_model" if not reading.has("base_model") or modelish else "data.train"
    in_models = regex(r"(?:^|/)(?:models?|checkpoints?|weights)/").search(value)
    return "base_model" if in_models or reading.has("data.train") else "data.train"


def _data_role(reading: Reading, location: Location) -> str:
    for role in ("data.test", "data.validation"):
        if reading.follows(rf"(?<![\w-]){_ROLES[role]}{_PHRASES['articles']}", location.span):
            return role
    stem = regex(r"[/\\]").split(location.value)[-1].lower()
    others = reading.has("data.train") or regex(r"train\w*\.\w+").search(reading.text.clean)
    if others and regex(r"(?:.*[_-])?(?:val|valid|validation|dev|eval)\b").match(stem):
        return "data.validation"
    return "data.test" if others and regex(r"(?:.*[_-])?(?:test|holdout)\b").match(stem) else "data.train"


def _is_data(value: str) -> bool:
    return regex(rf"(?<![a-z]){WORDS.data_sets}|(?:^|/)(?:data|datasets?)/").search(value.lower()) is not None


def _is_output_file(reading: Reading, location: Location, n_files: int) -> bool:
    """Whether a file is named as the place to write to, beside a file of data."""
    order = regex(rf"{_PHRASES['save_order']}{_PHRASES['articles']}").search(
        reading.before(location.start).rstrip("\"'`")
    )
    return order is not None and (reading.has("data.train") or n_files > 1)


def _refuse(reading: Reading, role: str, location: Location) -> None:
    quote = reading.text.quote(*location.span)
    rule = "leaves the working directory or names system files, keys or another machine"
    reading.reject(role, location.span, f"the path {rule}")
    reading.refuse(
        RefusalClass.UNSAFE_PATH,
        f"{quote} {rule}. Use a file below the working directory or an allowed data root, or a hub id.",
    )


def _read_bare_output(reading: Reading) -> None:
    """ "save it to results" and "output dir: out": a directory without a slash."""
    match = reading.find(_NAMES["bare_output"])
    if match is None or reading.has("output.dir"):
        return
    directory = reading.text.name(match, match.lastgroup or 0)
    if directory.lower() not in _NO_DIRECTORIES:
        reading.claim("output.dir", directory, match)


def _read_bare_model(reading: Reading) -> None:
    """ "with MiniLM", "the base model is gpt2"; beside a model with its organisation, only the latter."""
    if reading.has("base_model"):
        for match in reading.find_all(_NAMES["model_is"]):
            reading.claim("base_model", reading.text.name(match, "name"), match.span("name"))
        return
    models = [match for match in reading.find_all(_NAMES["bare_model"]) if _is_model(reading, match)]
    for before, match in zip([None, *models], models, strict=False):
        between = reading.text.clean[before.end() : match.start()] if before else ""
        rivals = regex(r"\W*(?:or|vs\.?|versus)\W*").fullmatch(between)  # the user is asked which
        if before is None or rivals or regex(rf"(?<!\w){WORDS.corrections}").search(between):
            reading.claim("base_model", reading.text.name(match), match)
    if not models and (name := reading.find(_NAMES["model_called"])):
        reading.claim("base_model", reading.text.name(name, "name"), name.span("name"))


def _is_model(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a model's name is wanted, and meant where it is a common word too."""
    if reading.follows(NOT_WANTED, match):
        return False
    return match.group() not in _COMMON_WORDS or reading.follows(r"(?:tune|train|model|adapt|with|use)\s+$", match)


def _read_bare_dataset(reading: Reading) -> None:
    """ "on banking77", "the alpaca data set", "data set: my_rows"."""
    match = reading.find(_NAMES["popular_set"]) or reading.find(_NAMES["set_called"])
    if match:
        group = match.lastgroup or 0
        reading.claim("data.train", reading.text.name(match, group), match.span(group))


def read_as_evaluation(reading: Reading) -> None:
    """To evaluate: the data is test data, and a directory is the adapter, which is no field of the spec."""
    places = [c for c in reading.claims if c.field in ("data.train", "data.validation", "base_model")]
    for claim in places:
        value, words = str(claim.value), claim.span
        is_model = regex(WORDS.model_families).search(value.lower())
        is_set = value.startswith("stdlib:") or _is_data(value)
        reading.claims.remove(claim)
        if "/" in value and not (is_file(value) or is_model or is_set) and len(places) > 1:
            reading.ignore(words)
        else:
            reading.claim("base_model" if claim.field == "base_model" else "data.test", value, words)


def read_as_export(reading: Reading) -> None:
    """To export: a directory that was taken for data is where the adapter goes."""
    for claim in reading.of("data.train"):
        if not is_file(str(claim.value)) and not reading.has("output.dir"):
            reading.claims.remove(claim)
            reading.claim("output.dir", claim.value, claim.span)
