"""What goes with the adapter: its model card, and the spec that runs the study again."""

from agent.report import wording
from agent.report.markdown import data_table
from agent.report.material import Material
from agent.report.model import Report
from agent.request.markup import code, escaped, table
from agent.request.tasks import TASKS
from trainers.spec import Adapter

LIMITS = (
    "Scores hold for texts like those of the test split; other sources, languages or times were not measured.",
    "Biases of the base model and of the training data are inherited and were not examined.",
)


def render_model_card(material: Material, report: Report) -> str:
    """README.md of the adapter directory, with the front matter of the Hugging Face hub."""
    spec = material.spec
    kind = "full fine-tuning" if spec.adapter is Adapter.FULL else f"{spec.adapter} adapter"
    loss = f", loss {spec.loss}" if spec.loss else ""
    config = ((name, wording.plain(value)) for name, value in report.best.config.items())
    parts = [
        _front_matter(material, report),
        f"# {escaped(spec.base_model)}: {spec.task}, {kind}",
        f"This is {TASKS[spec.task].model}: a {kind} for {code(spec.base_model)}{_revision(material)}{loss}, found by "
        f"tunewright study {escaped(report.study_id)} from the request",
        f"> {escaped(report.request)}",
        f"**{escaped(report.verdict)}**",
        "## Scores\n\n" + _scores(report),
        "## Configuration\n\n" + table(("hyperparameter", "value"), config),
        *(["## Data\n\n" + data_table(report) + _labels(report)] if report.data else []),
        '## Use\n\n```sh\ntunewright generate PATH_OF_THIS_DIRECTORY "a text"\n```',
        f"## Reproduce\n\n{code(report.command)}\n\nPlan {code(report.plan_hash)}, training seed "
        f"{report.shipped.seed}. Versions:\n\n" + table(("", "version"), report.environment.items()),
        "## Limits\n\n" + "\n".join(f"- {escaped(note)}" for note in (*LIMITS, *wording.notes(report))),
    ]
    return "\n\n".join(parts) + "\n"


def render_spec(material: Material) -> str:
    """spec.yaml: the resolved spec of the study, for `tunewright run spec.yaml`.

    `output.dir` is left out, so that running it does not overwrite this study's files.
    """
    import yaml

    spec = material.spec
    fields = spec.model_dump(mode="json", exclude_none=True)
    fields["output"].pop("dir", None)
    head = f"# The resolved spec of study {' '.join(material.study_id.split())}. Run: tunewright run spec.yaml\n"
    return head + yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def _front_matter(material: Material, report: Report) -> str:
    import yaml

    spec = material.spec
    full = spec.adapter is Adapter.FULL
    fields = {
        "base_model": spec.base_model,
        "library_name": "transformers" if full else "peft",
        "pipeline_tag": TASKS[spec.task].pipeline,
        "tags": ["tunewright", str(spec.task), str(spec.adapter), *([str(spec.loss)] if spec.loss else [])],
        "metrics": [str(report.metric)],
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _revision(material: Material) -> str:
    base = material.plan.base
    return f" at revision {code(base.revision)}" if base and base.revision else ""


def _scores(report: Report) -> str:
    shipped = report.shipped
    scores = (wording.number(shipped.validation_score), wording.number(shipped.test_score))
    rows = [
        ("this model", *scores, wording.span(shipped.ci95)),
        *((f"{name} configuration", *rest) for name, *rest in wording.comparison_rows(report)),
    ]
    head = (f"{escaped(report.metric)} ({wording.better(report)})", "validation", "test", "95 % interval of test")
    if not report.best.others:
        return table(head, rows)
    further = ", ".join(f"{name} {wording.number(value)}" for name, value in report.best.others.items())
    return f"{table(head, rows)}\n\nFurther test metrics of the configuration: {escaped(further)}."


def _labels(report: Report) -> str:
    labels = report.data.labels if report.data else ()
    return f"\n\nClasses: {', '.join(escaped(label) for label in labels)}." if labels else ""
