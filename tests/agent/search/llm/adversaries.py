"""Planner LLMs that do harm, and one that does as it is told, for tests of what they can do to a search."""

import itertools
import json
from collections.abc import Sequence
from random import Random
from typing import Any

from agent.llm.messages import Decoding, JsonSchema, Message, Reply
from agent.search.llm.grid import words_of
from evals.search_bench.problem import Problem
from tests.fakes.scripted_chat import ScriptedChat
from trainers.space import Space
from trainers.spec import Config

N_CANDIDATES = 12

GARBAGE = (
    "I would rather talk about the weather.",
    '{"candidates": [{"learning_rate": ',
    "[]",
    '{"candidates": "all of them", "priors": 7}',
    '{"candidates": [{"why": "x", "no_such_thing": "1"}], "priors": {"no_such_thing": {"median": "1"}}}',
)


class Obedient:
    """Fills in whatever the schema asks for with random words of its lists: well-formed, and without any idea."""

    decodings: tuple[Decoding, ...] = ("json_schema",)

    def __init__(self, seed: int = 0) -> None:
        self._rng = Random(seed)
        self.asked: list[tuple[Message, ...]] = []

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """A member of the schema."""
        self.asked.append(tuple(messages))
        text = json.dumps(self._filled(schema))
        return Reply(text, sum(len(m.text) for m in messages) // 4, len(text) // 4)

    def _filled(self, shape: JsonSchema) -> Any:
        if "enum" in shape:
            return self._rng.choice(shape["enum"])
        if shape["type"] == "object":
            return {name: self._filled(inner) for name, inner in shape["properties"].items()}
        if shape["type"] == "array":
            return [self._filled(shape["items"]) for _ in range(shape["maxItems"])]
        return self._rng.randint(0, 100) if shape["type"] == "integer" else "as asked"


def garbage() -> ScriptedChat:
    """Never a usable reply, in several ways; over and over."""
    return ScriptedChat(*GARBAGE * 8)


def constant(space: Space) -> ScriptedChat:
    """One configuration, a third up every range, and certainty that it is the one."""
    words = {name: list(words_of(space.parameters[name])) for name in space.free}
    return ScriptedChat(_reply([{name: w[len(w) // 3] for name, w in words.items()}] * N_CANDIDATES))


def hostile(problem: Problem) -> ScriptedChat:
    """The worst corners of the space, failing ones first, always new ones, and certainty that good values lie there."""
    corners = sorted(_corners(problem.space), key=lambda pair: _loss(problem, pair[1]), reverse=True)
    words = [word for word, _ in corners]
    return ScriptedChat(*(_reply(words[i:] + words[:i]) for i in range(0, len(words), 3)))


def _corners(space: Space) -> list[tuple[dict[str, str], Config]]:
    ends = {name: list(words_of(space.parameters[name]).items()) for name in space.free}
    chosen = itertools.product(*([values[0], values[-1]] for values in ends.values()))
    return [
        (
            dict(zip(ends, (word for word, _ in corner), strict=True)),
            space.canonical(dict(zip(ends, (value for _, value in corner), strict=True))),
        )
        for corner in chosen
    ]


def _loss(problem: Problem, config: Config) -> float:
    """Of a problem that is minimised; a failure is the worst."""
    score = problem.true_score(config)
    return float("inf") if score is None else score


def _reply(candidates: Sequence[dict[str, str]]) -> str:
    """A batch that is sure of its first candidate's values, in the schema's words."""
    priors = {name: {"median": w, "spread": "narrow", "confidence": "high"} for name, w in candidates[0].items()}
    listed = [{"why": "I know", **candidate} for candidate in candidates[:N_CANDIDATES]]
    return json.dumps({"priors": priors, "candidates": listed})
