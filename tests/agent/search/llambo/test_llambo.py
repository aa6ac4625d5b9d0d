"""The parts of LLAMBO, each alone, on good, poor and hostile replies."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.llm.calls import LlmCaps, LlmEvent
from agent.llm.messages import Decoding, JsonSchema, Message, Reply, TransportError
from agent.llm.planner import Planner
from agent.search.fresh import known_keys
from agent.search.llambo.proposer import LLAMBO_MODES, POOL, Llambo
from agent.search.llambo.scale import BEST_GRADE, Scale
from agent.search.llm.task_card import TaskCard
from agent.search.proposer import Proposer
from agent.search.stop import expected_improvement
from agent.study.nouns import History
from tests.agent.search.spaces import TYPICAL, history, spaces, trial
from tests.fakes.scripted_chat import ScriptedChat
from trainers.space import Space
from trainers.spec import Direction, Metric, Task

CARD = TaskCard(task=Task.CLASSIFICATION, metric=Metric.F1_MACRO, n_train_rows=3000, n_classes=10, hidden_size=384)


class Obliging:
    """Answers whatever the schema asks for: the first or last word of every list, and rising numbers."""

    decodings: tuple[Decoding, ...] = ("json_schema",)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        self.asked.append(messages[1].text)
        ((name, array),) = schema["properties"].items()
        properties = array["items"]["properties"]
        if name == "candidates":
            items: list[dict[str, Any]] = [
                {k: self._word(p, turn) for k, p in properties.items()} for turn in range(array["maxItems"])
            ]
        else:
            ids = properties["id"]["enum"]
            items = [{k: i if k == "id" else self._number(k, n) for k in properties} for n, i in enumerate(ids)]
        return Reply(json.dumps({name: items}), 800, 400)

    @staticmethod
    def _word(shape: dict[str, Any], turn: int) -> str | None:
        if "enum" not in shape:
            return "as asked"
        words = [w for w in shape["enum"] if w is not None]
        return str(words[(turn * 7) % len(words)])

    @staticmethod
    def _number(key: str, n: int) -> int:
        return {"low": 10 + n, "middle": 20 + 2 * n, "high": 30 + 4 * n, "good": 3 * n}[key]


class Bench:
    """One mode on a chat model, with its events."""

    def __init__(self, mode: str, chat: Any, space: Space = TYPICAL, **options: Any) -> None:
        self.chat = chat
        self.events: list[LlmEvent] = []
        planner = Planner(
            chat, "m", on_call=lambda call: 7, on_event=self.events.append, backoff_seconds=0.0, **options
        )
        self.proposer: Proposer = Llambo(space, CARD, planner, mode)


@pytest.mark.parametrize("mode", LLAMBO_MODES)
@settings(max_examples=15, deadline=None)
@given(space=spaces(), kinds=st.text("cfrwp", max_size=9), seed=st.integers(0, 2**30))
def test_every_mode_proposes_new_members(mode: str, space: Space, kinds: str, seed: int) -> None:
    """Log ranges, whole numbers, choices, conditions; failed, running and early stopped trials; either way."""
    past = history(space, kinds, seed % 97, list(Direction)[seed % 2])
    bench = Bench(mode, Obliging(), space)
    proposals = bench.proposer.propose(past, 3, seed)
    keys = [space.key(p.config) for p in proposals]
    assert len(set(keys)) == len(keys) <= 3
    assert not set(keys) & known_keys(space, past)
    assert all(p.config == space.canonical(p.config) for p in proposals)
    assert {p.source for p in proposals} <= {f"llambo-{mode}"}
    if not proposals and space.free:
        assert bench.events[-1].kind == "batch_failed"


@pytest.mark.parametrize(("mode", "n_calls"), [(m, 2 if m == "end-to-end" else 1) for m in LLAMBO_MODES])
def test_a_step_is_one_call(mode: str, n_calls: int) -> None:
    """22 requests a trial become one or two, and the call is in the proposal."""
    bench = Bench(mode, Obliging())
    proposals = bench.proposer.propose(history(TYPICAL, "cccccc"), 2, 1)
    assert len(proposals) == 2
    assert len(bench.chat.asked) == n_calls
    assert all(p.llm_call_id == 7 for p in proposals)


@pytest.mark.parametrize(
    ("mode", "told", "untold"),
    [
        ("warmstart-none", ["learning_rate"], ["task", "n_train_rows", "hidden_size"]),
        ("warmstart-partial", ["task: classification", "n_train_rows: 3000"], ["hidden_size"]),
        ("warmstart-full", ["task: classification", "n_train_rows: 3000", "hidden_size: 384"], []),
    ],
)
def test_the_warm_start_tells_as_much_as_its_level(mode: str, told: list[str], untold: list[str]) -> None:
    """None, some or all of the job; no score ever."""
    chat = ScriptedChat('{"candidates": []}')
    Bench(mode, chat).proposer.propose(history(TYPICAL, "cc"), 1, 0)
    system, user = (m.text for m in chat.asked[0])
    assert all(part in system for part in told)
    assert not any(f"- {part}" in system for part in untold)
    assert "id,learning_rate,lora_rank,epochs,scheduler,warmup_ratio\n0," in user
    assert "grade\n" not in user


def test_a_warm_start_is_served_over_several_trials() -> None:
    """Ten configurations from one call; when they are used up, ten more."""
    bench, past = Bench("warmstart-full", Obliging()), history(TYPICAL, "")
    for number in range(12):
        proposals = bench.proposer.propose(past, 1, number)
        if not proposals:
            break
        past = past.model_copy(update={"trials": (*past.trials, trial(number, proposals[0].config, 0.5))})
    assert len(past.trials) >= 9
    assert len(bench.chat.asked) <= 2


def test_the_surrogate_ranks_by_expected_improvement() -> None:
    """The model's quantiles decide: here the last of the pool has the highest mean and the widest spread."""
    bench = Bench("discriminative", Obliging())
    past = history(TYPICAL, "cccccc")
    proposals = bench.proposer.propose(past, POOL, 3)
    pool = bench.chat.asked[0].split("configurations:\n")[1].split("\n\n")[0].splitlines()[1:]
    assert len(proposals) == len(pool) == POOL
    means = [p.predicted_mean for p in proposals]
    assert means == sorted(means, key=lambda m: -float(m or 0.0))
    assert all(p.predicted_sd and p.predicted_sd > 0 for p in proposals)
    scores = [t.score for t in past.complete if t.score is not None]
    assert float(means[-1] or 0) < sorted(scores)[len(scores) // 2]


def test_the_surrogate_says_what_it_was_not_told() -> None:
    """Configurations without a prediction are left out and counted; ids nobody asked for are ignored."""
    said = {
        "predictions": [
            {"id": "c2", "low": -9, "middle": 1e9, "high": 1e12},
            {"id": "x", "low": 1, "middle": 2, "high": 3},
        ]
    }
    bench = Bench("discriminative", ScriptedChat(json.dumps(said)))
    (proposal,) = bench.proposer.propose(history(TYPICAL, "cccc"), 5, 0)
    assert proposal.predicted_mean is not None
    assert [(e.kind, e.count) for e in bench.events] == [("rejected", POOL - 1)]


def test_the_classifier_is_told_good_and_bad() -> None:
    """The best quarter is good, the rest and the failures are bad; the likeliest comes first."""
    bench = Bench("generative", Obliging())
    bench.proposer.propose(history(TYPICAL, "ccccccccff"), 1, 0)
    table = bench.chat.asked[0].split("\n\n")[0]
    assert (table.count(",good"), table.count(",bad")) == (2, 8)


def test_end_to_end_begins_with_a_warm_start() -> None:
    """Until five trials exist; then candidates for a target, ranked by the surrogate."""
    bench = Bench("end-to-end", Obliging())
    assert bench.proposer.propose(history(TYPICAL, "cc"), 1, 0)[0].predicted_mean is None
    assert bench.proposer.propose(history(TYPICAL, "ccccc"), 1, 0)[0].predicted_mean is not None
    first, second, third = bench.chat.asked
    assert first.startswith("No trial has a score yet.")
    assert "would reach a grade of about" in second
    assert third.split("\n\n")[1].startswith("Predict the grade")


@pytest.mark.parametrize("mode", LLAMBO_MODES)
@pytest.mark.parametrize(
    "bad",
    ["", "no", "[]", '{"candidates": [], "predictions": [], "ratings": []}', '{"candidates": [{"x": "rm -rf /"}]}'],
)
def test_a_useless_reply_is_an_event_and_an_empty_list(mode: str, bad: str) -> None:
    """Never a random configuration in its place, and never an endless loop."""
    chat = ScriptedChat(bad)
    bench = Bench(mode, chat)
    assert bench.proposer.propose(history(TYPICAL, "cccccc"), 2, 0) == []
    assert bench.events[-1].kind == "batch_failed"
    assert len(chat.asked) <= 3


@pytest.mark.parametrize("mode", LLAMBO_MODES)
def test_outages_and_caps_are_told(mode: str) -> None:
    """A server that is down is an event each time; a cap switches the mode off for good."""
    down = Bench(mode, ScriptedChat(TransportError("down")))
    assert down.proposer.propose(history(TYPICAL, "cccccc"), 2, 0) == []
    assert down.events[-1].kind == "batch_failed"
    capped = Bench(mode, ScriptedChat("{}"), caps=LlmCaps(tokens=100))
    for _ in range(3):
        assert capped.proposer.propose(history(TYPICAL, "cccccc"), 2, 0) == []
    assert [e.kind for e in capped.events] == ["cap_reached"]


@pytest.mark.parametrize("mode", ["candidates", "discriminative", "generative"])
@pytest.mark.parametrize("kinds", ["", "fff", "rrw"])
def test_modes_that_learn_need_a_score(mode: str, kinds: str) -> None:
    """Said, not guessed."""
    bench = Bench(mode, Obliging())
    assert bench.proposer.propose(history(TYPICAL, kinds), 1, 0) == []
    assert "needs a trial with a score" in bench.events[-1].message
    assert not bench.chat.asked


def scored(*scores: float, direction: Direction = Direction.MAXIMIZE) -> History:
    """Complete trials with these scores."""
    configs = [TYPICAL.default() | {"learning_rate": 1e-4 + 1e-5 * i} for i in range(len(scores))]
    trials = tuple(trial(i, config, score) for i, (config, score) in enumerate(zip(configs, scores, strict=True)))
    return History(direction=direction, trials=trials)


@pytest.mark.parametrize(
    ("scores", "direction", "metric"),
    [
        ((0.5, 0.9, 1.0), Direction.MAXIMIZE, Metric.ACCURACY),
        ((85.3, 80.0, 60.0), Direction.MAXIMIZE, Metric.BLEU),
        ((1e-7, 1e-6, 2e-6), Direction.MINIMIZE, Metric.EVAL_LOSS),
        ((-3.0, -2.0, -5.0), Direction.MINIMIZE, None),
        ((1200.0, 900.0, 1e9), Direction.MINIMIZE, Metric.PERPLEXITY),
        ((0.7,), Direction.MAXIMIZE, Metric.ACCURACY),
        ((0.0, 0.0, 0.0), Direction.MINIMIZE, None),
    ],
)
def test_targets_are_better_than_the_best_whatever_the_metric(
    scores: tuple[float, ...], direction: Direction, metric: Metric | None
) -> None:
    """Unbounded, tiny, negative, constant, at the bound, to be minimised: the published clamps fail on each."""
    scale = Scale(scored(*scores, direction=direction), metric)
    best = max(scores) if direction is Direction.MAXIMIZE else min(scores)
    assert scale.grade(best) == pytest.approx(70.0)
    assert 71.0 <= scale.target() <= 100.0
    wanted = scale.score(scale.target())
    assert math.isfinite(wanted)
    assert wanted > best - 1e-3 if direction is Direction.MAXIMIZE else wanted < best
    assert all(
        scale.score(scale.grade(s)) == pytest.approx(s, rel=0.01, abs=2e-3) for s in scores if scale.grade(s) > 0
    )


def test_targets_come_nearer_as_trials_add_up() -> None:
    """A share of the good quartile's width that falls from 0.2 to 0.05."""
    few = Scale(scored(*[i / 10 for i in range(4)]), None).target()
    many = Scale(scored(*[i / 100 for i in range(40)]), None).target()
    assert 70 < many < few < 76


@given(mean=st.floats(0, 100), sd=st.floats(3, 50))
def test_expected_improvement_is_positive_and_grows_with_the_mean(mean: float, sd: float) -> None:
    """As it must."""
    one, next_ = (expected_improvement(m, sd, BEST_GRADE, maximize=True) for m in (mean, mean + 1))
    assert 0.0 <= one <= next_


def test_an_unknown_mode_is_refused() -> None:
    """With the list."""
    with pytest.raises(ValueError, match="end-to-end, got 'best'"):
        Llambo(TYPICAL, CARD, Planner(ScriptedChat("{}"), "m"), "best")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["why", "id", "low", "middle", "high", "good", "epochs"]), inner, max_size=5)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("mode", ["candidates", "discriminative", "generative"])
@settings(max_examples=60, deadline=None)
@given(said=json_values)
def test_any_reply_gives_members_or_nothing(mode: str, said: Any) -> None:
    """Hostile JSON in the place of candidates, predictions and ratings."""
    name = {"candidates": "candidates", "discriminative": "predictions", "generative": "ratings"}[mode]
    bench = Bench(mode, ScriptedChat(json.dumps({name: said})))
    proposals = bench.proposer.propose(history(TYPICAL, "cccf"), 3, 0)
    assert all(not TYPICAL.problems(p.config) for p in proposals)
    assert proposals or bench.events
