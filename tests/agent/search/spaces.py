"""Random spaces and histories for the proposers' contract."""

from random import Random

from hypothesis import strategies as st

from agent.study.nouns import History, Phase, Proposal, Trial, TrialState
from trainers.space import CategoricalParameter, Condition, FloatParameter, IntParameter, Parameter, Space
from trainers.spec import Config, Direction, FailureReason

TYPICAL = Space(
    parameters={
        "learning_rate": FloatParameter(low=1e-5, high=3e-3, log=True, default=2e-4),
        "lora_rank": CategoricalParameter(choices=(4, 8, 16, 32, 64), default=16),
        "epochs": IntParameter(low=1, high=6, default=2),
        "scheduler": CategoricalParameter(choices=("linear", "cosine"), default="cosine"),
        "warmup_ratio": FloatParameter(low=0.0, high=0.1, default=0.05),
        "weight_decay": CategoricalParameter(choices=(0.0,), default=0.0),
    },
    conditions={"warmup_ratio": Condition(parameter="scheduler", values=("cosine",))},
)

floats = st.builds(
    lambda low, ratio, log: FloatParameter(low=low, high=low * ratio, log=log),
    st.floats(1e-6, 10.0),
    st.sampled_from([1.0, 1.0004, 1.1, 10.0, 1e4]),
    st.booleans(),
)
ints = st.builds(
    lambda low, width, log: IntParameter(low=low, high=low + width, log=log),
    st.integers(1, 20),
    st.sampled_from([0, 1, 3, 100]),
    st.booleans(),
)
choices = st.sampled_from([(1,), ("a", "b", "c"), (4, 8, 16), (0.0, 0.05, 0.1), (True, False), (8, 2), ("x", 1)]).map(
    lambda values: CategoricalParameter(choices=values)
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """One to four parameters; the later ones may depend on the first categorical one."""
    parameters: dict[str, Parameter] = {
        f"p{i}": draw(st.one_of(floats, ints, choices)) for i in range(draw(st.integers(1, 4)))
    }
    conditions: dict[str, Condition] = {}
    switch = next((n for n, p in parameters.items() if isinstance(p, CategoricalParameter)), None)
    for name in parameters:
        if switch is not None and name > switch and draw(st.booleans()):
            conditions[name] = Condition(parameter=switch, values=(parameters[switch].at(0.0),))
    return Space(parameters=parameters, conditions=conditions)


def trial(
    number: int, config: Config, score: float | None = None, state: TrialState | None = None, source: str = "gp"
) -> Trial:
    """A search trial; failed when it has neither score nor state."""
    state = state or (TrialState.COMPLETE if score is not None else TrialState.FAILED)
    return Trial(
        trial_id=f"t{number}",
        study_id="s",
        number=number,
        phase=Phase.SEARCH,
        state=state,
        proposal=Proposal(config=config, source=source),
        seed=number,
        score=score,
        reason=FailureReason.NAN if state is TrialState.FAILED else None,
    )


def history(space: Space, kinds: str, seed: int = 0, direction: Direction = Direction.MAXIMIZE) -> History:
    """A history of random configurations: one trial a letter, c complete, f failed, r running, w waiting, p pruned."""
    rng = Random(seed)
    states = {"f": TrialState.FAILED, "r": TrialState.RUNNING, "w": TrialState.WAITING, "p": TrialState.PRUNED}
    trials = [
        trial(i, space.sample(rng), rng.random() if kind in "cp" else None, states.get(kind))
        for i, kind in enumerate(kinds)
    ]
    return History(direction=direction, trials=tuple(trials))
