"""What a study tries next: replicates, the proposer's new configurations, a wider space, or nothing more."""

from collections.abc import Sequence

from agent.run.run import Run
from agent.search.proposer import Prefetches, close
from agent.search.replicates import next_replicate
from agent.search.space_edits import MAX_EDITS, SpaceEdit, SuggestsEdits, accept_edit, own_edit, refusal
from agent.search.stop import enough
from agent.study.nouns import EventKind, History, Phase, Proposal, TrialState, derived_seed
from trainers.space import CategoricalParameter

PROPOSE_TRIES = 8
"""Calls of the proposer that may give only known configurations before it counts as having nothing left."""


def propose(run: Run, history: History) -> str | None:
    """Store new configurations for the slots that no waiting trial needs; why there will be no more, or None."""
    budget, left = run.study.spec.budget.trials, run.ledger.trials_left()
    if left == 0:
        return f"all {budget} trials of the budget are used"
    n_open = min(run.scheduler.free - sum(t.state is TrialState.WAITING for t in history.trials), left)
    if n_open <= 0:
        return None
    if why := enough_found(run, history):
        return why
    if not history.trials:
        proposals = [Proposal(config=run.space.default(), source="default", why="the default configuration")]
    else:
        replicate = next_replicate(history, budget)
        again = [] if replicate is None else [replicate]
        consider_edits(run, history)
        proposals = again + (new_proposals(run, history, n_open - len(again)) if n_open > len(again) else [])
    seed = run.study.spec.seed
    numbered = enumerate(proposals, start=len(history.trials))
    run.add_trials(Phase.SEARCH, [(p, derived_seed(seed, "search", number)) for number, p in numbered])
    return None if proposals else "the proposer has no configuration left that was not tried"


def new_proposals(run: Run, history: History, n_open: int) -> list[Proposal]:
    """What the proposer offers, checked against the space and against what was tried; refusals are counted."""
    space = run.space
    keys = {space.key(t.config) for t in history.trials}
    fresh: list[Proposal] = []
    for turn in range(PROPOSE_TRIES):
        seed = derived_seed(run.study.spec.seed, "propose", len(history.trials), turn)
        offered = run.proposer.propose(history, n_open, seed)
        for proposal in offered:
            problem = "; ".join(space.problems(proposal.config))
            if problem or space.key(proposal.config) in keys:
                why = problem or "tried already"
                run.emit(EventKind.PROPOSAL_REFUSED, why=why, source=proposal.source, config=proposal.config)
            elif len(fresh) < n_open:
                keys.add(space.key(proposal.config))
                fresh.append(proposal.model_copy(update={"config": space.canonical(proposal.config)}))
        if fresh or not offered:
            break
    return fresh


def may_end_early(run: Run) -> bool:
    """Whether the search may leave trials of its budget unspent: never against the user's word.

    A number of trials that the user gave is used up, unless the spec asks for early stopping as well.
    """
    choice = run.study.spec.budget.early_stopping
    if choice is not None:
        return choice
    origin = run.study.plan.provenance.get("budget.trials")
    return origin is None or origin.source != "user"


def enough_found(run: Run, history: History) -> str | None:
    """Why the search ends before its budget is used, or None; once found it stays so, also after a restart."""
    if events := run.store.events(run.study_id, kind=EventKind.ENOUGH_FOUND):
        return str(events[-1].data["why"])
    budget, unspent = run.study.spec.budget.trials, run.ledger.trials_left()
    why = enough(history, len(run.space.free), budget) if may_end_early(run) else None
    if why is not None:
        sentence = f"The search left {unspent} of its {budget} trials unspent: {why}."
        run.emit_with_deviation(EventKind.ENOUGH_FOUND, {"why": why, "trials_unspent": unspent}, sentence)
    return why


def consider_edits(run: Run, history: History) -> None:
    """Widen the space where the rule allows what the proposer, or the rule itself, asks for; the proposer follows."""
    if run.rebuild is None:
        return
    edits: Sequence[SpaceEdit] = run.proposer.space_edits() if isinstance(run.proposer, SuggestsEdits) else ()
    users = run.study.spec.search.stated()
    for edit in edits:
        before = run.n_widened
        why_not = refusal(run.space, history, edit, users=users, n_before=before)
        if why_not is None:
            _widen(run, edit)
        else:
            run.emit(EventKind.SPACE_EDIT_REFUSED, why=why_not, parameter=edit.parameter, by=edit.by)
    if (before := run.n_widened) < MAX_EDITS and (own := own_edit(run.space, history, users=users, n_before=before)):
        _widen(run, own)


def prefetch(run: Run) -> None:
    """Let the proposer work ahead while trials run; nothing for one that cannot."""
    if isinstance(run.proposer, Prefetches) and run.ledger.trials_left():
        run.proposer.prefetch(run.store.history(run.study_id))


def _widen(run: Run, edit: SpaceEdit) -> None:
    """Record the wider space first, so that a kill in between loses nothing; then propose over it."""
    assert run.rebuild is not None
    space = accept_edit(run.space, edit)
    parameter = space.parameters[edit.parameter]
    assert not isinstance(parameter, CategoricalParameter)  # the rule refuses those
    sentence = (
        f"The search space was widened: {edit.parameter} is searched from {parameter.low:g} to {parameter.high:g}, "
        f"as most of the best configurations lay at the bound of the planned range."
    )
    granted = {"parameter": edit.parameter, "low": parameter.low, "high": parameter.high, "by": edit.by}
    run.emit_with_deviation(EventKind.SPACE_WIDENED, granted | {"why": edit.why}, sentence)
    close(run.proposer)
    run.proposer = run.rebuild(space)
