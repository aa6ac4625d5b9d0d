"""Stopping hopeless trials early: asynchronous successive halving of the stopping kind (Li et al. 2020, ASHA).

Every trial runs towards the one horizon that its own configuration gives it (its epochs and batch size). At a rung, a
share of that run, its validation loss is compared with all search trials that were measured at the same share; if it
is not among the best, the trial is stopped for good (PRUNED). Nothing is ever compared across rungs, and a rung's loss
is never taken for a score. As configurations differ in length, rungs are shares of each trial's own optimizer steps:
what is compared is how far each came by the same part of its own schedule.

What keeps it honest: the default, replicates, every tenth trial and confirm trials always run to their end; the first
trials at a rung pass; stopping is milder until `MIN_PAIRS` trials have shown both a rung's loss and a final score, and
stops altogether at a rung whose losses do not foretell scores (docs/traps.md).
"""

import math
from collections.abc import Sequence
from statistics import median

from agent.study.nouns import REPLICATE, EventKind, History, Phase, Rung, StudyEvent, Trial, TrialState
from trainers.arguments import step_at
from trainers.space import Space, is_fixed
from trainers.spec import Closed, CurvePoint, TaskSpec
from trainers.tasks import TASKS

ETA = 3
"""Of the trials that reach a rung, the best 1 / ETA go on."""

RUNGS = (1 / ETA**2, 1 / ETA)
"""Shares of a trial's optimizer steps at which it may be stopped."""

EVALUATE_AT = (*RUNGS, 2 / ETA, 1.0)
"""Where validation loss is measured while rungs are in use: as many points, and as much time, as without."""

MIN_REACHED = 3
"""Other trials that must have been measured at a rung before one may be stopped there."""

MIN_RUNG_STEPS = 10
"""A rung before this many optimizer steps is passed over: so early the loss tells of the warmup."""

WARMUPS = 1.5
"""A rung that lies before this many warmups of the trial's own schedule is passed over. Where the reference says 2,
1.5 lets the usual warmup of 6 % use the first rung."""

MILD_KEEP = 0.5
"""Share of the trials that go on at a rung until `MIN_PAIRS` have shown that its losses foretell scores."""

MIN_PAIRS, MIN_CORRELATION = 8, 0.5
"""With so many (rung loss, final score) pairs, their rank correlation must be at least this for any stopping."""

UNPRUNED_EVERY = 10
"""Trials whose number is a multiple of this run to their end: they show what stopping would have cost."""

MIN_TRIALS = 8
"""A study without a time budget stops trials early from this many trials on."""


class Verdict(Closed):
    """What a rung says about a trial."""

    stop: bool
    why: str


def early_stopping(spec: TaskSpec, space: Space) -> bool:
    """Whether trials of a study may be stopped at rungs: unless forbidden, where that can save time.

    A study that weighs costs against its metric stops none unless asked to: a rung knows of quality alone, and would
    cut off the cheap ones.
    """
    choice = spec.budget.early_stopping
    if choice is False or not_comparable(spec, space) or (choice is None and spec.objective.tradeoffs):
        return False
    return bool(choice) or spec.budget.seconds is not None or spec.budget.trials >= MIN_TRIALS


def not_comparable(spec: TaskSpec, space: Space) -> str | None:
    """Why validation losses of this study's trials cannot be compared; None where they can."""
    names = TASKS[spec.task].loss_parameters
    searched = [n for n in names if n in space.parameters and not is_fixed(space.parameters[n])]
    return f"{' and '.join(searched)} change the loss that would be compared" if searched else None


def asked_in_vain(spec: TaskSpec, space: Space) -> str | None:
    """A sentence for the report where early stopping was asked for and cannot be had; None otherwise."""
    why = not_comparable(spec, space)
    if not spec.budget.early_stopping or why is None:
        return None
    return f"Trials were not stopped early, although that was asked for: {why}."


def rung_at(trial: Trial, step: int, total_steps: int, eval_loss: float) -> Rung | None:
    """The rung that a search trial stands at with this step of its `total_steps`; None between rungs."""
    warmup = trial.config.get("warmup_ratio", 0.0)
    least = WARMUPS * float(warmup) if not isinstance(warmup, str) else 0.0
    for share in RUNGS:
        if step == step_at(share, total_steps) and step >= MIN_RUNG_STEPS and share >= least:
            return Rung(share=share, step=step, eval_loss=eval_loss)
    return None


def judge(trial: Trial, rung: Rung, reached: dict[str, Rung], history: History) -> Verdict:
    """Whether a search trial goes on after a rung. A pure function; cheap.

    `reached`: trial id to what the trials measured at the same share, this trial left out or not (`at_rung`).
    """
    losses = [r.eval_loss for trial_id, r in reached.items() if trial_id != trial.trial_id]
    place = 1 + sum(loss < rung.eval_loss for loss in losses)
    stands = f"place {place} of {len(losses) + 1} by validation loss at {rung.share:.0%} of the run"
    if protected(trial):
        return Verdict(stop=False, why=f"{stands}; this trial runs to its end whatever comes")
    if len(losses) < MIN_REACHED:
        return Verdict(stop=False, why=f"{stands}; the first {MIN_REACHED} pass")
    foretells = _correlation(reached, history)
    if foretells is not None and foretells < MIN_CORRELATION:
        why = f"{stands}; losses there do not foretell scores (rank correlation {foretells:.2f})"
        return Verdict(stop=False, why=why)
    keep = MILD_KEEP if foretells is None else 1.0 / ETA
    passing = math.ceil(keep * (len(losses) + 1))
    return Verdict(stop=place > passing, why=f"{stands}; the best {passing} go on")


def protected(trial: Trial) -> bool:
    """Whether a trial always runs to its end."""
    confirm = trial.phase is not Phase.SEARCH
    return confirm or trial.number % UNPRUNED_EVERY == 0 or trial.proposal.source in ("default", REPLICATE)


def at_rung(events: Sequence[StudyEvent], share: float) -> dict[str, Rung]:
    """Trial id to what it measured at `share`, from the study's events; of a trial run again, the last."""
    return {
        event.trial_id: Rung(share=share, step=event.data["step"], eval_loss=event.data["eval_loss"])
        for event in events
        if event.kind is EventKind.RUNG_REACHED and event.trial_id and event.data["share"] == share
    }


def curve_digest(points: Sequence[CurvePoint], total_steps: int | None = None) -> str:
    """A learning curve in one line of at most about 120 characters, the same for equal curves; "" without a loss.

    Training loss at 10, 25, 50 and 100 % of `total_steps` (None: of the last point's step), its trend over the last
    quarter, the largest spike, a divergence flag, and the validation losses.
    """
    losses = [(p.step, p.loss) for p in points if p.loss is not None]
    checks = [(p.step, p.eval_loss) for p in points if p.eval_loss is not None]
    if not losses and not checks:
        return ""
    total = total_steps or max(p.step for p in points)
    words: list[str] = []
    if losses:
        marks = [(s, loss) for s in (0.1, 0.25, 0.5, 1.0) if (loss := _loss_at(losses, s * total)) is not None]
        words.append("loss " + " ".join(f"{loss:.3g}@{share:.0%}" for share, loss in marks))
        words += _shape([loss for _, loss in losses])
    if checks:
        words.append("eval " + " ".join(f"{loss:.3g}@{step / total:.0%}" for step, loss in checks[-4:]))
    return ", ".join(words)


def run_length(trial: Trial, points: Sequence[CurvePoint]) -> int | None:
    """Optimizer steps that the trial's whole run has, for `curve_digest`; None where the curve shows the whole run."""
    return None if trial.rung is None or not points else max(round(trial.rung.step / trial.rung.share), 1)


def _shape(losses: list[float]) -> list[str]:
    """Trend, spike and divergence in words."""
    words: list[str] = []
    if len(losses) >= 4:
        tail = losses[-max(2, len(losses) // 4) :]
        change = tail[-1] - tail[0]
        flat = abs(change) < 0.02 * max(abs(losses[0] - losses[-1]), 0.05 * abs(losses[0]))
        trend = "falling" if change < 0 else "rising"
        words.append("flat at the end" if flat else f"{trend} at the end ({change:+.2g})")
    levels = [median(losses[max(0, i - 4) : i + 1]) for i in range(len(losses) - 1)]
    spike = max((after / level for level, after in zip(levels, losses[1:], strict=True) if level > 0), default=0.0)
    if spike >= 1.5:
        words.append(f"spike x{spike:.2g}")
    if len(losses) >= 3 and not median(losses[-3:]) <= 1.2 * median(losses[:3]):
        words.append("diverged")
    return words


def _loss_at(losses: list[tuple[int, float]], step: float) -> float | None:
    """The loss at the point nearest to `step`; None where the curve ends well before."""
    nearest = min(losses, key=lambda point: abs(point[0] - step))
    return nearest[1] if losses[-1][0] >= 0.95 * step else None


def _correlation(reached: dict[str, Rung], history: History) -> float | None:
    """Spearman's rank correlation of low rung losses with good final scores; None with fewer than `MIN_PAIRS`."""
    from scipy.stats import spearmanr

    sign = history.direction.sign
    pairs = [
        (-reached[t.trial_id].eval_loss, sign * t.score)
        for t in history.trials
        if t.state is TrialState.COMPLETE and t.score is not None and t.trial_id in reached
    ]
    if len(pairs) < MIN_PAIRS:
        return None
    losses, scores = zip(*pairs, strict=True)
    if len(set(losses)) == 1 or len(set(scores)) == 1:
        return 0.0
    return float(spearmanr(losses, scores).statistic)
