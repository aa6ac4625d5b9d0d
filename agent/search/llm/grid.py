"""A space as a planner LLM sees it: every value a word from a list, so that a decoder's grammar can hold it.

Float ranges are poorly enforced by grammar back-ends; lists are not. Ranges become grids of up to 32 values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.llm.messages import JsonSchema
from agent.llm.reply_json import object_schema
from agent.search.fresh import completed
from agent.search.llm.beliefs import CONFIDENCES, SPREADS, Belief, confidence_of, spread_of
from agent.search.llm.text import number_in, safe_line
from agent.search.space_edits import SpaceEdit
from prompts.history import number_text
from trainers.space import CategoricalParameter, IntParameter, Parameter, Space, describe, is_fixed, is_ordered
from trainers.spec import Config, Scalar

LEVELS = 32
MAX_WHY = 120
"""Characters of a reason; the one free text in a reply, so the one place where a small model can ramble."""

MAX_EDITS = 2
"""Wider bounds that are read of one reply."""


class Grid:
    """The words of one space, and back."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._words = {name: words_of(space.parameters[name]) for name in space.free}

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters that can be chosen, in order."""
        return tuple(self._words)

    @property
    def bounded(self) -> tuple[str, ...]:
        """Those of `names` that have bounds."""
        return tuple(n for n in self._words if not isinstance(self._space.parameters[n], CategoricalParameter))

    def cards(self) -> list[dict[str, str]]:
        """Per hyperparameter: name, range in words, default and condition ("" where there is none)."""
        return [self._card(name) for name in self._words]

    def _card(self, name: str) -> dict[str, str]:
        parameter, condition = self._space.parameters[name], self._space.conditions.get(name)
        values = ", ".join(number_text(v) for v in condition.values) if condition else ""
        return {
            "name": name,
            "range": describe(parameter),
            "default": "" if parameter.default is None else number_text(parameter.default),
            "condition": f"{condition.parameter} is {values}" if condition else "",
        }

    def schema(self, n_high: int, priors: bool = False) -> JsonSchema:
        """JSON schema of a reply: candidates with "why" first, then one enum per hyperparameter; before them, with
        `priors`, a median, a spread and a confidence per hyperparameter, and after them the bounds to move, where any
        hyperparameter has bounds."""
        properties: dict[str, Any] = {"why": {"type": "string", "maxLength": MAX_WHY}}
        for name, words in self._words.items():
            nullable = name in self._space.conditions
            values: list[str | None] = [*words, None] if nullable else list(words)
            properties[name] = {"type": ["string", "null"] if nullable else "string", "enum": values}
        reply: dict[str, Any] = {
            "candidates": {"type": "array", "items": object_schema(properties), "maxItems": n_high}
        }
        if priors:
            reply = {"priors": object_schema({n: _prior(list(words)) for n, words in self._words.items()})} | reply
            if self.bounded:
                bounds = {
                    "why": {"type": "string", "maxLength": MAX_WHY},
                    "parameter": {"type": "string", "enum": list(self.bounded)},
                    "low": {"type": ["number", "null"]},
                    "high": {"type": ["number", "null"]},
                }
                reply["edits"] = {"type": "array", "items": object_schema(bounds), "maxItems": MAX_EDITS}
        return {"title": "Candidates", **object_schema(reply)}

    def belief(self, name: str, fields: Mapping[str, Scalar | None]) -> Belief:
        """What a reply says about one hyperparameter. Raises ValueError naming what cannot be used."""
        if name not in self._words:
            raise ValueError(f"unknown hyperparameter {name[:40]!r}")
        median = fields.get("median")
        if set(fields) - {"median", "spread", "confidence"} or median is None:
            raise ValueError(f"{name} needs median, spread and confidence, got {', '.join(fields)[:100]}")
        return Belief(
            parameter=name,
            median=self._value(name, median),
            spread=spread_of(fields.get("spread")),
            confidence=confidence_of(fields.get("confidence")),
        )

    def edits(self, items: Sequence[Mapping[str, Scalar | None]], problems: list[str]) -> list[SpaceEdit]:
        """The wider bounds of a reply, each once, for the rule of `agent/search/space_edits.py` to judge; why others
        cannot be used goes to `problems`."""
        edits: list[SpaceEdit] = []
        for fields in items[:MAX_EDITS]:
            try:
                edit = self._edit(fields)
            except ValueError as error:
                problems.append(safe_line(f"edit: {error}"))
                continue
            if all((edit.parameter, edit.low, edit.high) != (e.parameter, e.low, e.high) for e in edits):
                edits.append(edit)
        problems += [f"edit: at most {MAX_EDITS} are read of a reply"] * len(items[MAX_EDITS:])
        return edits

    def _edit(self, fields: Mapping[str, Scalar | None]) -> SpaceEdit:
        name = fields.get("parameter")
        if not isinstance(name, str) or name not in self.bounded:
            raise ValueError(f"{str(name)[:40]!r} has no bounds that could be moved")
        unknown = sorted(set(fields) - {"parameter", "low", "high", "why"})
        if unknown:
            raise ValueError(f"unknown {', '.join(unknown)[:100]}")
        bounds: dict[str, float] = {}
        for side in ("low", "high"):
            if (value := fields.get(side)) is not None:
                bounds[side] = number_in(value)
                if math.isnan(bounds[side]):
                    raise ValueError(f"a bound must be a number, got {str(value)[:40]!r}")
        if len(bounds) != 1:
            raise ValueError(f"{name} needs one of low and high")
        why = safe_line(str(fields.get("why") or ""))
        return SpaceEdit(parameter=name, low=bounds.get("low"), high=bounds.get("high"), why=why)

    def new_configs(
        self, candidates: Iterable[Mapping[str, Scalar | None]], keys: set[str], problems: list[str]
    ) -> tuple[list[tuple[Config, str]], int]:
        """(configuration, why) of the candidates whose keys are not in `keys`, where they are added, and the number
        of repeats; why others cannot be used goes to `problems`."""
        new, n_repeats = list[tuple[Config, str]](), 0
        for candidate in candidates:
            try:
                config = self.config({k: v for k, v in candidate.items() if k != "why"})
            except ValueError as error:
                problems.append(safe_line(str(error)))
                continue
            if (key := self._space.key(config)) in keys:
                n_repeats += 1
                continue
            keys.add(key)
            new.append((config, safe_line(str(candidate.get("why") or ""))))
        return new, n_repeats

    def config(self, candidate: Mapping[str, Scalar | None]) -> Config:
        """The canonical configuration that a candidate means.

        Numbers within the range count even off the grid, those at most one grid step outside are clipped. Raises
        ValueError naming what cannot be used; absent hyperparameters are not filled in.
        """
        unknown = sorted(set(candidate) - set(self._words))
        if unknown:
            raise ValueError(f"unknown hyperparameters {', '.join(unknown)[:100]}")
        values = {name: self._value(name, value) for name, value in candidate.items() if value is not None}
        config = completed(self._space, values)
        missing = [name for name in self._space.active(config) if name in self._words and name not in values]
        if missing:
            raise ValueError(f"{', '.join(missing)} not set")
        return config

    def _value(self, name: str, value: Scalar) -> Scalar:
        words, parameter = self._words[name], self._space.parameters[name]
        word = value if isinstance(value, str) else number_text(value)
        if word in words:
            return words[word]
        number = number_in(word)
        if math.isnan(number) or not is_ordered(parameter):
            raise ValueError(f"{name} must be {describe(parameter)}, got {str(value)[:40]!r}")
        return _numeric(parameter, name, number)


def words_of(parameter: Parameter) -> dict[str, Scalar]:
    """Words to values: all choices, all of a short range of whole numbers, else a grid on the parameter's scale."""
    if isinstance(parameter, CategoricalParameter):
        values: list[Scalar] = list(parameter.choices)
    elif isinstance(parameter, IntParameter) and parameter.high - parameter.low < LEVELS:
        values = list(range(parameter.low, parameter.high + 1))
    else:
        values = [parameter.at(i / (LEVELS - 1)) for i in range(LEVELS)]
    words: dict[str, Scalar] = {}
    for value in values:
        words.setdefault(number_text(value), value)
    return words


def _prior(words: list[str]) -> JsonSchema:
    """The median is one of at most 12 words, evenly spaced: it needs no more, and a schema in the prompt costs
    tokens."""
    medians = words if len(words) <= 12 else [words[round(i * (len(words) - 1) / 8)] for i in range(9)]
    choices = {"median": medians, "spread": list(SPREADS), "confidence": list(CONFIDENCES)}
    return object_schema({name: {"type": "string", "enum": few} for name, few in choices.items()})


def _numeric(parameter: Parameter, name: str, number: float) -> Scalar:
    if isinstance(parameter, CategoricalParameter):
        near = [c for c in parameter.choices if math.isclose(float(c), number, rel_tol=1e-3)]
        if near:
            return near[0]
        raise ValueError(f"{name} must be {describe(parameter)}, got {number:g}")
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        step = (high / low) ** (1 / (LEVELS - 1))
        inside = low / step <= number <= high * step
    else:
        step = max((high - low) / (LEVELS - 1), 1.0 if isinstance(parameter, IntParameter) else 0.0)
        inside = low - step <= number <= high + step
    if not inside:
        raise ValueError(f"{name} must be {describe(parameter)}, got {number:g}")
    clipped = min(max(number, low), high)
    return round(clipped) if isinstance(parameter, IntParameter) else clipped


def fixed_card(space: Space) -> list[tuple[str, str]]:
    """Hyperparameters with one value only, for the job description."""
    return [(f"{name} (fixed)", number_text(p.at(0.0))) for name, p in space.parameters.items() if is_fixed(p)]
