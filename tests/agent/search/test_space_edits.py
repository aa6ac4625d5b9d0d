"""Moving a bound of the search space outwards."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.llm.planner import Planner
from agent.search.llm.batch import REUSED_FOR_TRIALS, LlmBatch
from agent.search.llm.task_card import TaskCard
from agent.search.space_edits import MAX_EDITS, SpaceEdit, accept_edit, own_edit, refusal, widened_space
from agent.study.nouns import EventKind, Phase, Proposal, StudyEvent
from tests.fakes.scripted_chat import ScriptedChat
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space
from trainers.spec import Task

SPACE = Space(
    parameters={
        "learning_rate": FloatParameter(low=1e-5, high=1e-3, log=True, default=1e-4),
        "weight_decay": FloatParameter(low=0.0, high=0.1),
        "lora_alpha": IntParameter(low=8, high=64),
        "epochs": IntParameter(low=1, high=3),
        "lora_rank": CategoricalParameter(choices=(4, 8, 16)),
    }
)


def config(lr, decay=0.05, alpha=16):
    """A member of the space."""
    return {"learning_rate": lr, "weight_decay": decay, "lora_alpha": alpha, "epochs": 3, "lora_rank": 8}


def at_bound(lab, n):
    """Ten scored trials; of the best five the best `n` have the largest learning rates."""
    best = [lab.trial(i, config(9.9e-4 - 1e-6 * i if i < n else 1e-4 + 1e-6 * i), 0.9 - 0.01 * i) for i in range(5)]
    return lab.history(*best, *[lab.trial(i, config(2e-5 + 1e-6 * i), 0.1) for i in range(5, 10)])


def edit(**bounds):
    """An edit of the learning rate unless another is named."""
    return SpaceEdit(**({"parameter": "learning_rate"} | bounds))


def granted(seen, asked):
    """The space with an edit that breaks no rule."""
    assert refusal(SPACE, seen, asked) is None
    return accept_edit(SPACE, asked)


def test_a_bound_moves_where_the_best_lie_at_it(lab):
    """As far as asked, and at most by a factor of four; the other bound, scale and default stay."""
    seen = at_bound(lab, 3)
    near, far = (granted(seen, edit(high=high)) for high in (2e-3, 1.0))
    assert near.parameters["learning_rate"] == FloatParameter(low=1e-5, high=2e-3, log=True, default=1e-4)
    assert far.parameters["learning_rate"].high == pytest.approx(4e-3)
    assert SPACE.parameters["learning_rate"].high == 1e-3
    assert near.key(config(1e-4)) == SPACE.key(config(1e-4))


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (edit(parameter="beta", high=1.0), "unknown hyperparameter 'beta'"),
        (edit(parameter="lora_rank", high=64), "has no bounds"),
        (edit(parameter="epochs", high=9), "what a trial costs"),
        (edit(), "exactly one of low and high"),
        (edit(low=1e-6, high=1e-2), "exactly one of low and high"),
        (edit(high=5e-4), "would not become wider"),
        (edit(low=1e-6), "0 of the best 5 configurations lie at the lower bound"),
        (edit(parameter="weight_decay", high=0.2), "0 of the best 5"),
    ],
)
def test_what_breaks_the_rule_is_refused_in_words(lab, asked, rule):
    """Nothing is widened, and the message names the rule."""
    seen = at_bound(lab, 5)
    assert rule in refusal(SPACE, seen, asked)


def test_users_bounds_physics_and_patience_have_the_last_word(lab):
    """What the user set stays; no bound passes what a hyperparameter can be; two edits a study; three of five."""
    seen, asked = at_bound(lab, 5), edit(high=2e-3)
    assert "the user set" in refusal(SPACE, seen, asked, users={"learning_rate": 1})
    assert "widened 2 times" in refusal(SPACE, seen, asked, n_before=MAX_EDITS)
    assert "2 of the best 5" in refusal(SPACE, at_bound(lab, 2), asked)
    low = lab.history(*[lab.trial(i, config(1e-4, decay=0.001 * i), 0.9) for i in range(5)])
    assert "must be between 0 and 1, -0.01 is not" in refusal(SPACE, low, edit(parameter="weight_decay", low=-0.01))
    few = lab.history(*[lab.trial(i, config(9.9e-4), 0.9) for i in range(4)])
    assert "0 of the best 5" in refusal(SPACE, few, asked)


def test_linear_and_whole_bounds_move_by_half_a_range(lab):
    """0 to 0.1 becomes at most 0 to 0.15, 8 to 64 at most 8 to 92."""
    seen = lab.history(*[lab.trial(i, config(1e-4 + 1e-6 * i, decay=0.1, alpha=64), 0.9) for i in range(5)])
    decay = granted(seen, edit(parameter="weight_decay", high=0.5))
    assert decay.parameters["weight_decay"].high == pytest.approx(0.15)
    alpha = granted(seen, edit(parameter="lora_alpha", high=100.5))
    assert alpha.parameters["lora_alpha"].high == 92


def test_the_rule_speaks_up_by_itself_only_when_all_five_agree(lab):
    """Four of five are not enough without somebody asking."""
    own = own_edit(SPACE, at_bound(lab, 5))
    assert (own.parameter, own.by) == ("learning_rate", "rule")
    assert own.high == pytest.approx(4e-3)
    assert own_edit(SPACE, at_bound(lab, 4)) is None
    assert own_edit(SPACE, at_bound(lab, 5), users={"learning_rate": 1}) is None


@given(
    name=st.sampled_from([*SPACE.parameters, "nonsense"]),
    low=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    high=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    n=st.integers(0, 5),
)
def test_no_edit_breaks_a_space(lab, name, low, high, n):
    """Whatever an LLM asks for: refused, or a valid space that contains the old one and is at most four times wider."""
    asked = SpaceEdit(parameter=name, low=low, high=high)
    if refusal(SPACE, at_bound(lab, n), asked) is not None:
        return
    space = accept_edit(SPACE, asked)
    old, new = SPACE.parameters[name], space.parameters[name]
    assert Space.model_validate(space.model_dump()) == space
    assert new.low <= old.low <= old.high <= new.high <= 4.001 * old.high
    assert (new.low, new.high) != (old.low, old.high)


def test_granted_edits_are_applied_in_order():
    """A space is the plan's plus its events; events of other kinds change nothing."""
    moves = [("space_widened", 1e-5, 4e-3), ("search_stopped", 1, 1), ("space_widened", 1e-5, 8e-3)]
    events = [
        StudyEvent(seq=i, at="", kind=kind, data={"parameter": "learning_rate", "low": low, "high": high})
        for i, (kind, low, high) in enumerate(moves)
    ]
    assert widened_space(SPACE, events).parameters["learning_rate"].high == 8e-3


class Climber:
    """Proposes ever larger learning rates within its space; asks for a wider one when told to."""

    name = "climber"

    def __init__(self, space, edits=()):
        self.space, self.edits, self.closed = space, list(edits), 0

    def propose(self, history, n, seed):
        """One configuration near the upper bound."""
        parameter = self.space.parameters["learning_rate"]
        return [
            Proposal(
                config={"learning_rate": parameter.at(1 - 0.001 * len(history.trials)), "lora_rank": 8}, source="c"
            )
        ]

    def space_edits(self):
        """What is left to ask for, once."""
        asked, self.edits = self.edits, []
        return asked

    def close(self):
        """Counted."""
        self.closed += 1


def upwards(config, seed):
    """Larger learning rates are better."""
    return config["learning_rate"]


def test_a_study_widens_its_space_and_its_proposer_follows(store, lab):
    """By the rule alone, twice at most; plan and plan hash stay; each proposer is closed once; the report says it."""
    made = []

    def build(space):
        made.append(Climber(space))
        return made[-1]

    study = store.create_study(lab.plan(trials=30, early_stopping=False))
    plan_hash = study.plan_hash
    lab.run(store, study.study_id, ScriptedExecutor(upwards), build(lab.SPACE), rebuild=build)
    events = store.events("1", kind=EventKind.SPACE_WIDENED)
    assert [e.data["by"] for e in events] == ["rule", "rule"]
    assert [m.space.parameters["learning_rate"].high for m in made] == pytest.approx([1e-2, 4e-2, 16e-2])
    assert [m.closed for m in made] == [1, 1, 1]
    assert max(t.config["learning_rate"] for t in store.trials("1", Phase.SEARCH)) > 4e-2
    assert store.study("1").plan_hash == plan_hash == store.study("1").plan.plan_hash
    assert sum("space was widened" in s for s in lab.reported(store, "1").deviations) == 2


def test_a_resumed_study_searches_the_wider_space(store, lab):
    """Cancelled after the space was widened: the proposer it goes on with is built over the wider one."""

    class Canceller(lab.Recorder):
        def on_event(self, event):
            if event.kind is EventKind.SPACE_WIDENED:
                store.request_cancel("1")

    made = []

    def build(space):
        made.append(Climber(space))
        return made[-1]

    study = store.create_study(lab.plan(trials=12, early_stopping=False))
    lab.run(store, study.study_id, ScriptedExecutor(upwards), build(lab.SPACE), Canceller(), rebuild=build)
    made.clear()
    lab.run(store, study.study_id, ScriptedExecutor(upwards), build(lab.SPACE), rebuild=build)
    assert made[1].space.parameters["learning_rate"].high == pytest.approx(4e-2)
    assert max(t.config["learning_rate"] for t in store.trials("1", Phase.SEARCH)) > 2e-2


def test_an_edit_that_a_proposer_asks_for_is_judged(store, lab):
    """Refusals are events; without a way to build the proposer anew nothing is asked."""
    asking = Climber(lab.SPACE, [edit(low=1e-9)])
    study = store.create_study(lab.plan(trials=4))
    lab.run(store, study.study_id, ScriptedExecutor(upwards), asking, rebuild=Climber)
    [refused] = store.events("1", kind=EventKind.SPACE_EDIT_REFUSED)
    assert (refused.data["parameter"], refused.data["by"]) == ("learning_rate", "llm")
    fixed = Climber(lab.SPACE, [edit(low=1e-9)])
    lab.run(store, store.create_study(lab.plan(trials=10)).study_id, ScriptedExecutor(upwards), fixed)
    assert len(fixed.edits) == 1
    assert store.events("2", kind=EventKind.SPACE_WIDENED) == []


def test_what_a_planner_llm_asks_for_is_granted_by_the_rule_only(store, lab):
    """The bound at which the best trials lie moves as far as the LLM asked, the other stays; both are events."""
    rate = {"why": "most of the best trials are at this bound", "parameter": "learning_rate", "low": None, "high": None}
    top = [{"learning_rate": word, "lora_rank": rank} for word in ("0.01", "8e-3") for rank in ("4", "8")]
    middle = [{"learning_rate": word, "lora_rank": "4"} for word in ("2e-4", "3e-4", "4e-4")]
    chat = ScriptedChat(
        json.dumps({"candidates": top}),
        json.dumps({"candidates": middle, "edits": [rate | {"high": 0.02}, rate | {"low": 1e-9}]}),
        json.dumps({"candidates": [{"learning_rate": "0.015", "lora_rank": "8"}]}),
    )
    assert len(top) == REUSED_FOR_TRIALS
    planner = Planner(chat, "scripted")
    made = []

    def build(space):
        made.append(LlmBatch(space, TaskCard(task=Task.CLASSIFICATION, trials=7), planner))
        return made[-1]

    study = store.create_study(lab.plan(trials=7, early_stopping=False))
    lab.run(store, study.study_id, ScriptedExecutor(upwards), build(lab.SPACE), rebuild=build)
    [granted] = store.events("1", kind=EventKind.SPACE_WIDENED)
    assert (granted.data["by"], granted.data["high"]) == ("llm", pytest.approx(0.02))
    [refused] = store.events("1", kind=EventKind.SPACE_EDIT_REFUSED)
    assert (refused.data["by"], refused.data["parameter"]) == ("llm", "learning_rate")
    assert "0 of the best 5 configurations lie at the lower bound" in refused.data["why"]
    assert len(made) == 2
    assert max(t.config["learning_rate"] for t in store.trials("1", Phase.SEARCH)) == pytest.approx(0.015)
