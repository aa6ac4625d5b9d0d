"""Budget, constraints and seed: numbers that mean something only together with their unit or noun."""

import re

from agent.request.rules.amounts import NUMBER, number, seconds_in, whole
from agent.request.rules.claims import Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES

_PHRASES = PHRASES["quantities"]


def read_quantities(reading: Reading) -> None:
    """Claim seed, budget.* and constraints.*; hyperparameters are read elsewhere."""
    for match in reading.find_all(_PHRASES["seed"]):
        _claim(reading, "seed", match)
    for match in reading.find_all(_PHRASES["parallel"]):
        _claim(reading, "budget.parallel_trials", match)
    _ask_which(reading, "budget.trials", _PHRASES["trials"])
    for match in reading.find_all(_PHRASES["n_trials"]):
        if _is_count(reading, match):
            _claim(reading, "budget.trials", match)
    _read_times(reading)
    for match in regex(_PHRASES["dollars"]).finditer(reading.text.left):
        value = number(match["cents"]) / 100 if match["cents"] else _decimal(match["a"] or match["b"])
        reading.claim("budget.llm_usd", whole(value), match)
    for name in ("max_vram_gb", "max_adapter_mb"):
        for match in reading.find_all(rf"{name}[\"']?\s*[:=]?\s*(?P<n>{NUMBER})"):
            _claim(reading, f"constraints.{name}", match)
    for match in regex(_PHRASES["size"]).finditer(reading.text.left):
        _read_size(reading, match)
    for match in reading.find_all(_PHRASES["length"]):
        _read_length(reading, match)


def _read_times(reading: Reading) -> None:
    _ask_which(reading, "budget.seconds", _PHRASES["unit"])
    for names, scale in ((r"(?:seconds|max_seconds|time_limit_s)", 1), ("minutes", 60), ("hours", 3600)):
        for match in reading.find_all(rf"{names}[\"']?\s*[:=]\s*(?P<n>{NUMBER})"):
            _claim(reading, "budget.seconds", match, scale)
    for match in reading.find_all(_PHRASES["time"]):
        _read_time(reading, match)


def _claim(reading: Reading, name: str, match: re.Match[str], scale: int = 1, group: str | None = None) -> None:
    """Claim the number in a match's (last) group, or the one by which it is corrected on the spot."""
    correction = reading.correction(match.end())
    value = number(correction["n"] if correction else match[group or match.lastgroup or 0])
    reading.claim(name, whole(value * scale), (match.start(), (correction or match).end()))


def _ask_which(reading: Reading, name: str, units: str) -> None:
    """ "10-20 trials": a budget is one number, so the user is asked; the larger one is suggested."""
    low_high = rf"{NUMBER}\s*(?:-+|\bto\b|\bor\b|\.\.+|~)\s*(?P<high>{NUMBER})|between {NUMBER} and (?P<h2>{NUMBER})"
    for match in reading.find_all(rf"(?:{low_high})\s*-?\s*(?P<unit>{units})"):
        high = number(match["high"] or match["h2"]) * (seconds_in(match["unit"]) or 1)
        question = f'"{reading.text.quote(*match.span())}" is a range, and {name} is one limit: which is meant?'
        reading.ask(name, question, f"{whole(high)}")
        reading.text.consume(*match.span())


def _is_count(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a number beside "trials" is how many there are to be."""
    if reading.precedes(r"\s*(?:per|each) ", match):
        return False
    return (
        match["first"] is not None or "trial " not in match.group() or not reading.follows(_PHRASES["one_trial"], match)
    )


def _read_time(reading: Reading, match: re.Match[str]) -> None:
    before, after = reading.before(match.start(), 24), reading.text.left[match.end() : match.end() + 24]
    if regex(_PHRASES["no_budget_after"]).match(after) or regex(_PHRASES["no_budget_before"]).search(before):
        return
    if match["one"] and regex(_PHRASES["many"]).search(before):
        return
    for name, words in PHRASES["not_times"].items():
        if regex(rf"(?<!\w)(?:{words}) ?(?:of|is|at|to|:|=)? *$").search(before):
            reading.reject(name, match, "it is not measured in time")
            return
    if regex(r"(?:length|tokens|context)(?: of| is|:)? *$").search(before):
        reading.reject("constraints.max_seq_length", match, "a length is a number of tokens")
        return
    correction, unit = reading.correction(match.end()), regex(rf"{_PHRASES['unit']}$").search(match.group())
    if correction and unit:
        seconds, end = number(correction["n"]) * (seconds_in(unit.group()) or 1), correction.end()
    else:
        seconds, end = round(_seconds(match), 3), match.end()
    reading.claim("budget.seconds", whole(seconds), (match.start(), end))


def _seconds(match: re.Match[str]) -> float:
    """What a match of the phrase `time` comes to."""
    if match["hh"] or match["ch"]:
        return int(match["hh"] or match["ch"]) * 3600.0 + int(match["mm"] or match["cm"]) * 60.0 + int(match["ss"] or 0)
    if match["quarter"]:
        return 2700.0 if match["quarter"].startswith(("3", "three")) else 900.0
    count, unit = 1.0, match["one"]
    if match["half"]:
        count, unit = 0.5, match["half"]
    for n, u in (("n1", "u1"), ("n2", "u2")):
        if match[n]:
            count, unit = 0.5 + (1.0 if match[n] in ("a", "an") else number(match[n])), match[u]
    if unit:
        return count * (seconds_in(unit) or 1)
    parts = regex(rf"(?P<n>{_PHRASES['comma_number']})\s*-?\s*(?P<u>{_PHRASES['unit']})(?!\w)").finditer(match["sum"])
    total = sum(_decimal(part["n"]) * (seconds_in(part["u"]) or 1) for part in parts)
    return -total if match["sum"].startswith("-") else total


def _decimal(text: str) -> float:
    return float(text.replace(",", ".")) if regex(r"\d+,\d{1,2}").fullmatch(text) else number(text)


def _read_size(reading: Reading, match: re.Match[str]) -> None:
    """GB of GPU memory and MB of adapter; which of the two the words around a size tell."""
    megabytes = _decimal(match["n"]) * {"m": 1, "g": 1000, "k": 0.001}[match["u"][0]]
    before, after = reading.before(match.start()), reading.text.clean[match.end() : match.end() + 30]
    adapter = max((m.start() for m in regex(r"adapter|lora (?:file|weights)").finditer(before)), default=-1)
    gpus = regex(rf"(?<!\w){_PHRASES['gpu']}|fits?\b|rtx|a100|t4|l4|v100").finditer(before)
    gpu = max((m.start() for m in gpus), default=-1)
    if regex(r"[\s\w-]{0,12}?\badapter").match(after) or adapter > gpu:
        reading.claim("constraints.max_adapter_mb", whole(round(megabytes, 6)), match)
    elif regex(r"\s*(?:of )?(?:(?:system |cpu |host |main )(?:ram|memory)|ram)\b").match(after):
        return
    elif gpu >= 0 or regex(rf"[\s\w-]{{0,16}}?(?<!\w){_PHRASES['gpu']}").match(after):
        reading.claim("constraints.max_vram_gb", whole(round(megabytes / 1000, 6)), match)


def _read_length(reading: Reading, match: re.Match[str]) -> None:
    is_time = reading.follows(r"time(?: limit| budget)?(?: of| is|:)? *$", match)
    if is_time or reading.precedes(rf"\s*(?:{_PHRASES['unit']}|gb|mb)(?!\w)", match):
        reading.reject("constraints.max_seq_length", match, "a length is a number of tokens")
        return
    scale, group = 1024 if match["k"] or match["k2"] else 1, "n" if match["n"] else "n2"
    if number(match[group]) * scale >= 8:
        _claim(reading, "constraints.max_seq_length", match, scale, group)
