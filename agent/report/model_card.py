"""What goes with the adapter: its model card, and the spec that runs the study again."""

from pathlib import Path

from agent.report import wording
from agent.report.markdown import data_table
from agent.report.material import Material
from agent.report.model import Report
from agent.request.markup import code, escaped, table
from agent.request.tasks import TASKS
from trainers.errors import InputError
from trainers.save import SavedFacts
from trainers.saved import read_facts
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
        "## Use\n\n" + _use(material),
        f"## Reproduce\n\n{code(report.command)}\n\nPlan {code(report.plan_hash)}, training seed "
        f"{report.shipped.seed}. Versions:\n\n" + table(("", "version"), report.environment.items()),
        "## Limits\n\n" + "\n".join(f"- {escaped(note)}" for note in (*LIMITS, *wording.notes(report))),
    ]
    return "\n\n".join(parts) + "\n"


CLASSIFY = """import torch
{loader}
from transformers import AutoTokenizer

path = "PATH_OF_THIS_DIRECTORY"
labels = {labels}
model = {model}.from_pretrained(path, num_labels=len(labels), id2label=dict(enumerate(labels))).eval()
tokenizer = AutoTokenizer.from_pretrained(path)
inputs = tokenizer("a text", truncation=True, max_length={length}, return_tensors="pt")
with torch.inference_mode():
    shares = model(**inputs).logits[0].float().softmax(-1).tolist()
print(max(zip(shares, labels)))"""
WRITE = """import torch
{loader}
from transformers import AutoTokenizer

path = "PATH_OF_THIS_DIRECTORY"
model = {model}.from_pretrained(path).eval()
tokenizer = AutoTokenizer.from_pretrained(path)
{inputs}
with torch.inference_mode():
    tokens = model.generate(**inputs, max_new_tokens=128, do_sample=False)
print(tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))"""
PLAIN = """inputs = tokenizer("a prompt\\n", return_tensors="pt")  # training ends a prompt in a line break"""
CHAT = """turns = [{"role": "user", "content": "a question"}]
inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True, return_tensors="pt")"""


def _use(material: Material) -> str:
    """How to ask it: with this program, and with transformers (and PEFT) alone."""
    asked = '```sh\ntunewright generate PATH_OF_THIS_DIRECTORY "a text"\n```'
    try:
        facts = read_facts(Path(material.adapter_dir))
    except InputError:  # what a scripted executor leaves is no adapter
        return asked
    here = "" if "/" in facts.base_model else " The base model lies on the machine it was trained on."
    return f"{asked}\n\nOr without it.{here}\n\n```python\n{python_lines(facts)}\n```"


def python_lines(facts: SavedFacts) -> str:
    """A program that asks a saved adapter by transformers (and PEFT) alone, rendered as in training."""
    kind = "SequenceClassification" if facts.labels else "CausalLM"
    full = facts.adapter is Adapter.FULL
    model = f"AutoModelFor{kind}" if full else f"AutoPeftModelFor{kind}"
    names = {"loader": f"from {'transformers' if full else 'peft'} import {model}", "model": model}
    if facts.labels:
        return CLASSIFY.format(**names, labels=list(facts.labels), length=facts.max_seq_length)
    return WRITE.format(**names, inputs=CHAT if facts.chat else PLAIN)


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
