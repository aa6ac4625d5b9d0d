"""What a request says about hyperparameters: fixed values, ranges and lists, each with its name in the words nearby."""

import re

from agent.request.rules.amounts import NUMBER, OWN_LIST, VALUE, number, search_value, whole
from agent.request.rules.claims import Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS, Hyperparameter
from trainers.spec import Choices, Range

_PHRASES = PHRASES["hyperparameters"]
_MAY_BE_ZERO = ("lora_dropout", "weight_decay", "warmup_ratio", "label_smoothing")


def read_hyperparameters(reading: Reading) -> None:
    """Claim search.*; each number is read once, next to its name."""
    _read_modules(reading)
    _read_scheduler(reading)
    parameters = [p for p in WORDS.hyperparameters if regex(f"{p.called}|{p.value_first}").search(reading.text.left)]
    for parameter in parameters:  # of the others the long patterns need not even be compiled
        _skip_vague(reading, parameter)
    for parameter in parameters:
        _read_named(reading, parameter)
    for parameter in parameters:
        if names := parameter.value_first:
            joint = r"(?:\s+|-|(?<=%)\s*|(?<=\d)(?=ep))(?:of |as (?:the )?)?"
            for match in reading.find_all(rf"(?P<value>{OWN_LIST}|{VALUE}){joint}{names}(?!{_PHRASES['assigned']})"):
                _claim(reading, parameter, match)


def _read_named(reading: Reading, parameter: Hyperparameter) -> None:
    less = r"\s*(?:<=?|≤)\s*"
    for match in reading.find_all(rf"(?P<low>{NUMBER}){less}{parameter.called}{less}(?P<high>{NUMBER})"):
        value = search_value(f"between {match['low']} and {match['high']}")
        reading.claim(f"search.{parameter.name}", value, match)
    for match in reading.find_all(rf"{parameter.called}{_PHRASES['connector']}(?P<value>{VALUE})"):
        if not reading.precedes(r"\s*(?:trials?|runs?|hours?|minutes?|gb|mb|usd|\$)(?!\w|\s*[=:])", match):
            _claim(reading, parameter, match)


def _skip_vague(reading: Reading, parameter: Hyperparameter) -> None:
    """List "a rank below 64", "no more than 3 epochs" and "lr around 1e-4": they state no value."""
    verbs = r"\s*(?:of|is|at|be|should|must|stay|stays|kept|set|to|with|a|the|values?|\s)*\s*"
    vague = [rf"{parameter.called}{verbs}{WORDS.vague}\s*{NUMBER}(?!\s*(?:to|-|and|\.\.)\s*\d)"]
    if parameter.value_first:
        vague.append(rf"{WORDS.vague}\s*{NUMBER}[\s-]+{parameter.value_first}(?!{_PHRASES['assigned']})")
    for pattern in vague:
        for match in regex(rf"(?<!\w){pattern}").finditer(reading.text.left):
            if not regex(rf"{NUMBER}\s*(?:<=?|≤)\s*$").search(reading.text.left[: match.start()]):
                reading.ignore(match, "an estimate or a bound is no value; give a value, a range or a list")


def read_absent(reading: Reading) -> None:
    """Claim 0 for what the request does not want: "no dropout", "without warm-up", "weight decay off"."""
    for parameter in WORDS.hyperparameters:
        if parameter.name in _MAY_BE_ZERO:
            for match in reading.find_all(_PHRASES["absent"].replace("%s", parameter.called)):
                reading.claim(f"search.{parameter.name}", 0.0, match)


def _claim(reading: Reading, parameter: Hyperparameter, match: re.Match[str]) -> None:
    if correction := reading.correction(match.end()):
        value, end = search_value(correction["n"]), correction.end()
    else:
        flags = {"brackets_are_range": parameter.brackets_are_range, "percent": parameter.percent}
        value, end = search_value(match["value"].strip(), **flags), match.end()
        times = regex(_PHRASES["accumulation"]).match(reading.text.left, end)
        if parameter.name == "batch_size" and times and not isinstance(value, Range | Choices):
            value, end = whole(float(value) * number(times["n"])), times.end()  # batch_size is the effective one
    reading.claim(f"search.{parameter.name}", value, (match.start(), end))


def _read_modules(reading: Reading) -> None:
    if match := reading.find(_PHRASES["all_linear"]):
        reading.claim("search.target_modules", "all-linear", match)
        return
    match = reading.find(_PHRASES["modules"])
    names = regex(WORDS.modules).findall(match["list"]) if match else []
    in_prose = match and len(names) == 1 and "_" not in names[0] and not match.group().startswith(("target", "modules"))
    if match and not in_prose:
        reading.claim("search.target_modules", ",".join(names), match)


def _read_scheduler(reading: Reading) -> None:
    match = reading.find(_PHRASES["schedulers"])
    if match is None:
        return
    names = regex(_PHRASES["scheduler"]).findall(match[match.lastgroup or 0])
    values = tuple(
        dict.fromkeys(next(s for s, words in WORDS.schedulers.items() if regex(words).fullmatch(n)) for n in names)
    )
    reading.claim("search.scheduler", values[0] if len(values) == 1 else Choices(choices=values), match)
