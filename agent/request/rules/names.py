"""Models, data sets and output directories named without a slash or an extension."""

import re

from agent.request.rules.claims import NOT_WANTED, Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS

_PHRASES = PHRASES["names"]
_COMMON_WORDS = ("opt", "bloom", "falcon", "granite", "electra")
_NO_DIRECTORIES = ("a", "the", "one", "it", "disk", "this", "memory", "full", "safetensors", "gguf", "onnx")


def read_bare_output(reading: Reading) -> None:
    """ "save it to results" and "output dir: out": a directory without a slash."""
    match = reading.find(_PHRASES["bare_output"])
    if match is None or reading.has("output.dir"):
        return
    directory = reading.text.name(match, match.lastgroup or 0)
    if directory.lower() not in _NO_DIRECTORIES:
        reading.claim("output.dir", directory, match)


def read_bare_model(reading: Reading) -> None:
    """ "with MiniLM", "the base model is gpt2"; beside a model with its organisation, only the latter."""
    if reading.has("base_model"):
        for match in reading.find_all(_PHRASES["model_is"]):
            reading.claim("base_model", reading.text.name(match, "name"), match.span("name"))
        return
    models = [match for match in reading.find_all(_PHRASES["bare_model"]) if _is_model(reading, match)]
    for before, match in zip([None, *models], models, strict=False):
        between = reading.text.clean[before.end() : match.start()] if before else ""
        rivals = regex(r"\W*(?:or|vs\.?|versus)\W*").fullmatch(between)  # the user is asked which
        if before is None or rivals or regex(rf"(?<!\w){WORDS.corrections}").search(between):
            reading.claim("base_model", reading.text.name(match), match)
    if not models and (name := reading.find(_PHRASES["model_called"])):
        reading.claim("base_model", reading.text.name(name, "name"), name.span("name"))


def _is_model(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a model's name is wanted, and meant where it is a common word too."""
    if reading.follows(NOT_WANTED, match):
        return False
    return match.group() not in _COMMON_WORDS or reading.follows(r"(?:tune|train|model|adapt|with|use)\s+$", match)


def read_bare_dataset(reading: Reading) -> None:
    """ "on banking77", "the alpaca data set", "data set: my_rows"."""
    match = reading.find(_PHRASES["popular_set"]) or reading.find(_PHRASES["set_called"])
    if match:
        group = match.lastgroup or 0
        reading.claim("data.train", reading.text.name(match, group), match.span(group))
