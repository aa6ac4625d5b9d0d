"""Looking at studies: what `status`, `show`, `logs`, `events`, `report`, `explain`, `cancel` and `export` print.

All of it is read from the store and the study's directory; nothing here changes a study but `cancel_study`.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from agent.cli import console
from agent.confirm import report_directory
from agent.errors import InputError
from agent.live import short_config
from agent.owner import owner_pid
from agent.request.plan import Plan
from agent.rungs import curve_digest, run_length
from agent.settings import Settings
from agent.store import Store
from agent.study import Study, StudyState, Trial, TrialState
from trainers.spec import Intent

FOLLOW_SECONDS = 0.5
"""How often `events --follow` looks for more."""

OVER = (StudyState.DONE, StudyState.FAILED, StudyState.CANCELLED)


def chosen_study(store: Store, study_id: str | None) -> Study:
    """The study named, or the latest. Raises InputError where there is none."""
    if study_id is not None:
        return store.study(study_id)
    studies = store.studies()
    if not studies:
        raise InputError("study", "there is no study yet.", 'Start one: tunewright run "classify tickets.csv"')
    return studies[-1]


def show_status(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """One line a study, or all of one study's state."""
    with Store.open(settings.database, read_only=True) as store:
        chosen = [store.study(study_id)] if study_id else store.studies()
        rows = [_summary(study, store) for study in chosen]
    if as_json:
        click.echo(json.dumps(rows[0] if study_id else {"studies": rows}))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("study", "state", "trials", "best", "default", "request"):
        table.add_column(column, justify="right" if column in ("trials", "best", "default") else "left")
    for row in rows:
        counts = f"{row['trials_over']}/{row['trials_limit']}"
        table.add_row(
            row["study"], row["state"], counts, _score(row["best"]), _score(row["default"]), row["request"][:60]
        )
    console().print(table)
    if study_id and rows[0]["error"]:
        console().print(f"error: {rows[0]['error']}", highlight=False, markup=False)
    if study_id and rows[0]["running_pid"]:
        console().print(f"running in process {rows[0]['running_pid']}", style="dim")
    for row in rows:
        if row["state"] not in OVER and not row["running_pid"]:
            click.echo(f"Nobody runs study {row['study']}; `tunewright resume {row['study']}` goes on.")


def show_study(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """Every trial of a study."""
    with Store.open(settings.database, read_only=True) as store:
        study = chosen_study(store, study_id)
        trials = store.trials(study.study_id)
    if as_json:
        click.echo(json.dumps({"study": study.study_id, "trials": [t.model_dump(mode="json") for t in trials]}))
        return
    out, free = console(), study.plan.space.free if study.plan.space else ()
    out.print(f"[bold]study {study.study_id}[/]  {study.state}  {study.plan.request}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("#", "for", "from", study.spec.objective.metric, "s", "configuration"):
        table.add_column(column, justify="right" if column in ("#", "s", study.spec.objective.metric) else "left")
    for trial in trials:
        shown = short_config(trial.config, free)
        source = trial.proposal.source
        table.add_row(str(trial.number), trial.phase, source, _outcome(trial), f"{trial.seconds:.0f}", shown)
    out.print(table)


def show_logs(study_id: str | None, lines: int, settings: Settings, as_json: bool) -> None:
    """The last lines of each process's log."""
    with Store.open(settings.database, read_only=True) as store:
        study = chosen_study(store, study_id)
    logs = {
        p.name: p.read_text(errors="replace").splitlines()[-lines:] for p in sorted(study.directory.glob("logs/*.log"))
    }
    if as_json:
        click.echo(json.dumps({"study": study.study_id, "logs": logs}))
        return
    for name, tail in logs.items():
        click.echo(f"== {name}")
        click.echo("\n".join(tail))


def show_events(study_id: str | None, after: int, follow: bool, settings: Settings, as_json: bool) -> None:
    """Events with a higher number than `after`, one a line; with `follow`, until nobody runs the study."""
    with Store.open(settings.database, read_only=True) as store:
        study = chosen_study(store, study_id)
        while True:
            over = owner_pid(study.directory) is None
            for event in store.events(study.study_id, after):
                after = event.seq
                told = " ".join(f"{k}={v}" for k, v in event.data.items())
                click.echo(
                    event.model_dump_json()
                    if as_json
                    else f"{event.seq:>5} {event.at[:19]} {event.kind} {event.trial_id or ''} {told}"
                )
            if over or not follow:
                return
            time.sleep(FOLLOW_SECONDS)


def show_report(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """The report of a study that is done. Raises InputError for one that is not."""
    from agent.report.terminal import print_report
    from agent.report.write import read_report

    with Store.open(settings.database, read_only=True) as store:
        study = chosen_study(store, study_id)
    if study.state is not StudyState.DONE:
        why = f" ({study.error})" if study.error else ""
        again = f" If it fails again, start anew: {study.command}" if study.error and study.command else ""
        raise InputError(
            "study",
            f"study {study.study_id} is {study.state}, not DONE{why}.",
            f"Try `tunewright resume {study.study_id}`.{again}",
        )
    report = read_report(report_directory(study))
    if as_json:
        click.echo(report.model_dump_json())
    else:
        print_report(report, console())


def show_explanation(study_id: str, number: int | None, settings: Settings, as_json: bool) -> None:
    """Where a trial's configuration came from and how it turned out; the best trial where none is named."""
    with Store.open(settings.database, read_only=True) as store:
        study = store.study(study_id)
        trial = _trial(store, study, number)
        default = next(iter(store.trials(study_id)), trial)
        call = next((c for c in store.llm_calls(study_id) if c["id"] == trial.proposal.llm_call_id), None)
        curve = store.curves(study_id).get(trial.trial_id, ())
    told = _explanation(study, trial, default, call) | {"curve": curve_digest(curve, run_length(trial, curve))}
    if as_json:
        click.echo(json.dumps(told | {"llm_call": call}))
        return
    out = console()
    for name, value in told.items():
        if value not in (None, "", {}):
            shown = ", ".join(f"{k} {_value(v)}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            out.print(f"[dim]{name.replace('_', ' '):>20}[/]  {shown}", highlight=False, soft_wrap=True)


def cancel_study(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """Ask the process that runs the study to stop."""
    with Store.open(settings.database) as store:
        study = chosen_study(store, study_id)
        pid = store.request_cancel(study.study_id)
    if as_json:
        click.echo(json.dumps({"study": study.study_id, "stopping_pid": pid}))
    elif pid is None:
        click.echo(f"study {study.study_id} is cancelled; `tunewright resume {study.study_id}` goes on")
    else:
        click.echo(f"process {pid} was asked to stop study {study.study_id}; `tunewright resume` goes on later")


def export_study(study_id: str, out: Path | None, merge: bool, settings: Settings, as_json: bool) -> None:
    """Copy or merge the adapter of a study that is done."""
    from tools.export import export

    with Store.open(settings.database, read_only=True) as store:
        study = store.study(study_id)
    if study.state is not StudyState.DONE:
        raise InputError(
            "study", f"study {study_id} is {study.state}, not DONE.", f"Try `tunewright resume {study_id}`."
        )
    exported = export(report_directory(study) / "adapter", out or Path(f"tunewright-{study_id}"), merge=merge)
    if as_json:
        click.echo(exported.model_dump_json())
    else:
        kind = "merged model" if exported.merged else "adapter"
        click.echo(f"{kind} in {exported.directory} ({exported.megabytes} MB)")


def answer_about_study(plan: Plan, settings: Settings, as_json: bool) -> int:
    """Carry out a request that is about an existing study; 2 for those that need a command of their own."""
    from agent.job import carry_out

    intent, study = plan.spec.intent, plan.study
    if intent is Intent.STATUS:
        show_status(study, settings, as_json)
    elif intent is Intent.EXPLAIN:
        with Store.open(settings.database, read_only=True) as store:
            study = chosen_study(store, study).study_id
        show_explanation(study, plan.trial, settings, as_json)
    elif intent is Intent.RESUME:
        return carry_out(study, settings, as_json)
    elif intent is Intent.CANCEL:
        cancel_study(study, settings, as_json)
    else:
        raise InputError(
            "request", f"a request to {intent} has a command of its own.", f"Try `tunewright {intent} --help`."
        )
    return 0


def _summary(study: Study, store: Store) -> dict[str, Any]:
    trials = store.history(study.study_id).trials
    best = store.history(study.study_id).best
    return {
        "study": study.study_id,
        "state": study.state,
        "request": study.plan.request,
        "trials_over": sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED) for t in trials),
        "trials_failed": sum(t.state is TrialState.FAILED for t in trials),
        "trials_limit": study.spec.budget.trials,
        "metric": study.spec.objective.metric,
        "best": best.score if best else None,
        "default": next((t.score for t in trials if t.number == 0), None),
        "error": study.error,
        "running_pid": owner_pid(study.directory),
        "created_at": study.created_at,
        "directory": str(study.directory),
    }


def _trial(store: Store, study: Study, number: int | None) -> Trial:
    if number is None:
        best = store.history(study.study_id).best
        if best is None:
            raise InputError("trial", f"study {study.study_id} has no complete trial yet.", "Name a trial.")
        return best
    trials = store.trials(study.study_id)
    found = next((t for t in trials if t.number == number), None)
    if found is None:
        last = f"0 to {trials[-1].number}" if trials else "none"
        raise InputError(
            "trial", f"study {study.study_id} has no trial {number}; there are: {last}.", "Name one of them."
        )
    return found


def _explanation(study: Study, trial: Trial, default: Trial, call: Mapping[str, Any] | None) -> dict[str, Any]:
    proposal = trial.proposal
    changed = {n: v for n, v in trial.config.items() if default.config.get(n) != v}
    return {
        "study": study.study_id,
        "trial": trial.number,
        "phase": trial.phase,
        "proposed_by": proposal.source,
        "why": proposal.why,
        "differs_from_default": changed,
        "configuration": dict(trial.config),
        "predicted_mean": proposal.predicted_mean,
        "predicted_sd": proposal.predicted_sd,
        "outcome": trial.score
        if trial.score is not None
        else f"stopped at {trial.rung.share:.0%} of its run, validation loss {trial.rung.eval_loss:.4g} there"
        if trial.rung is not None
        else f"{trial.state} {trial.reason or ''} {trial.error or ''}".strip(),
        "default_scored": default.score,
        "costs": trial.costs.model_dump() if trial.costs else None,
        "metric": study.spec.objective.metric,
        "deviations": "; ".join(trial.deviations),
        "llm_model": call["model"] if call else None,
        "llm_prompt": f"{call['prompt_name']} (sha256 {call['prompt_sha256'][:12]}); in full with --json"
        if call
        else None,
    }


def _outcome(trial: Trial) -> str:
    if trial.score is not None:
        return f"{trial.score:.4f}"
    return str(trial.reason or trial.state.lower())


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
