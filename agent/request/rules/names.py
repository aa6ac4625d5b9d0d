"""Models, data sets and output directories named without a slash or an extension."""

import re

from agent.request.rules.claims import CORRECTION, NOT_WANTED, Reading
from agent.request.rules.vocabulary import BARE_MODEL, DATASET_NAMES

SAVED = (
    r"(?:it|them|everything|all|that|this|the|my|our|your|final|best|merged|tuned|trained|resulting|and|full|whole|"
    r"results?|adapters?|model|weights|outputs?|files?|artifacts?|checkpoints?|lora|reports?|run|here)"
)


def read_bare_output(reading: Reading) -> None:
    """ "save it to results" and "output dir: out": a directory without a slash."""
    match = reading.find(
        rf"(?:save|store|write|put|export)(?: {SAVED})*(?: (?:to|in|into|under))+(?: the|"
        r" a)?(?: folder| directory| dir)? (?P<a>\"[^\"\n\x00]+\"|[\w.-]*\w)(?: folder| directory| dir)?|"
        r"(?:output|results?)[ _-]?(?:dir(?:ectory)?|folder)\s*(?:[:=]|is|named|"
        r"called)?\s*(?P<b>\"[^\"\n\x00]+\"|[\w.-]*\w)"
    )
    if match is None or reading.has("output.dir"):
        return
    group = "a" if match["a"] else "b"
    name = reading.text.cased[match.start(group) : match.end(group)].strip('"')
    if name.lower() not in ("a", "the", "one", "it", "disk", "this", "memory", "full", "safetensors", "gguf", "onnx"):
        reading.claim("output.dir", name, match.start(), match.end())


def read_bare_model(reading: Reading) -> None:
    if reading.has("base_model"):
        for named in reading.find_all(
            rf"(?:base |starting )?model(?: is| must be| should be|:|=)*\s+(?P<name>{BARE_MODEL})"
        ):
            start, end = named.span("name")
            reading.claim("base_model", reading.text.cased[start:end], start, end)
        return
    found = [m for m in reading.find_all(BARE_MODEL) if _is_model(reading, m)]
    for before, match in zip([None, *found], found, strict=False):
        if before is None or re.search(rf"(?<!\w){CORRECTION}", reading.text.clean[before.end() : match.start()]):
            reading.claim("base_model", reading.text.cased[match.start() : match.end()], match.start(), match.end())
    if found:
        return
    called = reading.find(
        r"(?:base[- ]?model|model|backbone|checkpoint)(?:(?: is| called| named|:|=)*\s*(?=[\"`])|"
        r"(?: is| called| named|:|=)+\s*)(?P<name>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|[a-z]+[\w.]*-[\w.-]*\w|[a-z]+\d[\w.]*)"
    )
    if called and called["name"]:
        value = reading.text.cased[called.start("name") : called.end("name")].strip('"`')
        reading.claim("base_model", value, called.start("name"), called.end("name"))


def _is_model(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a model's name is wanted, and meant where it is a common word too."""
    if re.search(NOT_WANTED, reading.before(match.start())):
        return False
    if match.group() not in ("opt", "bloom", "falcon", "granite", "electra"):
        return True
    return re.search(r"(?:tune|train|model|adapt|with|use)\s+$", reading.before(match.start())) is not None


def read_bare_dataset(reading: Reading) -> None:
    match = reading.find(
        rf"(?:(?:on|from|using|with|data|data ?set|use)(?: the)?:?\s+(?P<known>{DATASET_NAMES}(?:[-_][\w-]+)?)|"
        rf"(?P<first>{DATASET_NAMES}(?:[-_][\w-]+)?) (?:data ?set|corpus))"
    ) or reading.find(
        r"(?:on|from|using|with)(?: the)? (?P<known>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|"
        r"[\w-]*[a-z]\w*[-_]\w+) (?:data ?set|corpus)|"
        r"data ?set(?: is| called| named|:|=)+\s*(?P<named>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|[\w-]+)"
    )
    if match is None:
        return
    group = next(name for name, value in match.groupdict().items() if value)
    value = reading.text.cased[match.start(group) : match.end(group)].strip('"`')
    reading.claim("data.train", value, match.start(group), match.end(group))
