"""The report from hand-made material: what it says, what it must not say, and that every view holds it."""

import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from agent.report.build import build_report
from agent.report.importance import hyperparameter_importance
from agent.report.material import Material
from agent.report.model import Report
from agent.report.model_card import render_model_card
from agent.report.plot_models import confusion_counts
from agent.report.plots import draw_plots
from agent.report.terminal import print_report
from agent.report.wording import notes, number, shortened
from agent.report.write import read_report, write_report
from agent.request.spec_file import load_spec
from trainers.embedded import TINY_CAUSAL
from trainers.errors import InputError
from trainers.spec import Direction, Task, TaskSpec

Make = Callable[..., Material]

HOSTILE = "<script>alert(1)</script> [bold]x[/] $\\frac{1}$ | `a`"


def built(material: Material) -> Report:
    return build_report(material, Path(material.adapter_dir).parent)


def printed(report: Report) -> str:
    console = Console(width=80, record=True, force_terminal=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_report(report, console)
    return console.export_text()


class Page(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def test_a_gain_is_stated_with_its_interval(make_material: Make) -> None:
    """A clear gain is called better; validation means, sds and test scores are those of the material."""
    material = make_material()
    report = built(material)
    assert report.verdict.startswith("The best configuration is better than the default")
    assert report.gain is not None
    assert report.gain.distinguishable
    assert report.best.validation.mean == pytest.approx(sum(material.best.scores) / 3)
    assert report.best.validation.sd == pytest.approx(0.01)
    assert report.best.test_score == pytest.approx(sum(r.score for r in material.tests(material.best)) / 3)
    assert report.gain.value == pytest.approx((report.best.test_score or 0) - (report.default.test_score or 0))
    low, high = report.shipped.ci95 or (math.nan, math.nan)
    assert low < (report.shipped.test_score or 0) < high
    assert report.shipped.seed == 901
    assert report.plan_hash == material.plan.plan_hash


def test_a_tie_is_said_in_plain_words(make_material: Make) -> None:
    """Where the interval holds 0, every view says "not distinguishable from the default"."""
    material = make_material(skill=(0.79, 0.8))
    report = write_report(material, Path(material.adapter_dir).parent)
    assert report.gain is not None
    assert not report.gain.distinguishable
    for name in ("report.html", "report.md", "report.json", "adapter/README.md"):
        assert "not distinguishable from the default" in (Path(report.directory) / name).read_text(), name
    assert "not distinguishable from the default" in printed(report).replace("\n", " ")


def test_the_default_can_win(make_material: Make) -> None:
    """When the default is handed back, the gain is exactly none and no difference is shown."""
    report = built(make_material(best_is_default=True))
    assert report.best_is_default
    assert report.best == report.default
    assert report.gain is not None
    assert (report.gain.value, report.gain.ci95, report.gain.distinguishable) == (0.0, (0.0, 0.0), False)
    assert "default is handed back" in report.verdict
    assert "changes" not in printed(report)


def test_a_default_that_failed_everywhere_leaves_no_gain(make_material: Make) -> None:
    """Without any score of the default there is no comparison, and the report says why."""
    material = make_material(default_failed=True)
    report = write_report(material, Path(material.adapter_dir).parent)
    assert report.gain is None
    assert report.default.validation.mean is None
    assert "failed on every fresh seed" in printed(report).replace("\n", " ")


def test_losses_improve_downwards(make_material: Make) -> None:
    """For a minimised metric the lower score is the gain, and optimism has the same sense."""
    report = built(make_material(Task.SFT))
    assert report.direction is Direction.MINIMIZE
    assert (report.best.test_score or 0) < (report.default.test_score or 0)
    assert report.gain is not None
    assert report.gain.value > 0
    assert report.optimism == pytest.approx(0.8 * -1 + sum(report.confirmed[1].validation.scores) / 3)


def test_trials_are_counted_by_how_they_ended(make_material: Make) -> None:
    """One failed trial of twelve, two duplicates avoided, six confirm trials."""
    counts = built(make_material()).trials
    assert (counts.complete, counts.pruned, counts.failed) == (11, 0, 1)
    assert (counts.duplicates_avoided, counts.confirm) == (2, 6)


def test_the_terminal_fits_80_columns_and_begins_with_the_verdict(make_material: Make) -> None:
    """No table line is cut or wider than the terminal; only paths and the command may run on."""
    report = built(make_material())
    lines = [line for line in printed(report).splitlines() if line.strip()]
    assert lines[0].startswith("The best configuration is better")
    assert all(len(line) <= 80 for line in lines if not line.startswith(("adapter", "report", "again")))
    assert any(line.strip().startswith("7  ") and "0.8000" in line for line in lines)
    assert "NAN" not in "\n".join(lines[:20])
    assert any("micro-batch was halved" in line for line in lines)


def test_all_files_are_written_and_read_back(make_material: Make) -> None:
    """report.json holds what docs/reference_results.md promises and reads back the same; every plot is a PNG."""
    material = make_material()
    directory = Path(material.adapter_dir).parent
    report = write_report(material, directory)
    assert read_report(directory) == report
    raw = json.loads((directory / "report.json").read_text())
    assert {"plan_hash", "default", "best", "gain", "test_openings", "trials", "budget", "deviations", "data"} <= set(
        raw
    )
    assert {"value", "ci95", "p_value", "distinguishable"} <= set(raw["gain"])
    assert {"complete", "pruned", "failed", "duplicates_avoided"} <= set(raw["trials"])
    assert {"config", "validation", "test_score", "ci95"} <= set(raw["best"])
    names = {path.stem for path in (directory / "plots").glob("*.png")}
    assert names == {
        "default_vs_best", "history", "learning_curves", "parallel_coordinates", "importance", "confusion_matrix",
    }  # fmt: skip
    for path in (directory / "plots").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"plots/{path.name}" in (directory / "report.md").read_text()


def test_the_page_is_one_file_without_scripts_or_links(make_material: Make) -> None:
    """Every reference of the page is inside it, every drawing has a text, and nothing is a script."""
    material = make_material()
    directory = Path(material.adapter_dir).parent
    write_report(material, directory)
    text = (directory / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert "script" not in page.tags
    assert page.tags.count("svg") == 6
    assert len(re.findall(r'<svg[^>]*role="img" aria-label="[^"]{30,}"', text)) == 6
    assert not re.search(r'(src|href)="https?:', text)


def test_text_of_users_has_no_effect(make_material: Make) -> None:
    """Markup in the request and in class names is shown, not obeyed, in every view."""
    labels = (HOSTILE, "<img src=x onerror=y>", "ok")
    material = make_material(labels=labels, request=HOSTILE)
    directory = Path(material.adapter_dir).parent
    report = write_report(material, directory)
    page = Page()
    page.feed((directory / "report.html").read_text())
    assert not {"script", "img"} & set(page.tags)
    for name in ("report.md", "adapter/README.md"):
        text = (directory / name).read_text()
        assert "<script>" not in text.replace("`", ""), name
        assert "<img" not in text, name
    printed(report)


def test_rows_of_the_data_stay_out(make_material: Make) -> None:
    """Neither generated texts nor error messages that quote a row reach any file or the terminal."""
    material = make_material(Task.SFT)
    directory = Path(material.adapter_dir).parent
    report = write_report(material, directory)
    files = [p for p in directory.rglob("*") if p.is_file() and p.suffix != ".png"]
    assert len(files) >= 5
    assert not [p for p in files if "SECRET ROW TEXT" in p.read_text()]
    assert "SECRET ROW TEXT" not in printed(report)


def test_no_curves_and_few_trials_leave_sentences(make_material: Make) -> None:
    """Plots without data are replaced by the reason, and the page is still written."""
    material = make_material(curves=False, n_trials=3)
    plots = {plot.name: plot for plot in draw_plots(material, built(material))}
    assert plots["learning_curves"].svg is None
    assert "No learning curves" in plots["learning_curves"].missing
    assert "Importance needs 6" in plots["importance"].missing
    write_report(material, directory := Path(material.adapter_dir).parent)
    assert "Importance needs 6" in (directory / "report.html").read_text()
    assert "Importance needs 6" in (directory / "report.md").read_text()


def test_preference_shows_margins(make_material: Make) -> None:
    """A preference study has a histogram of margins in place of the confusion matrix."""
    material = make_material(Task.PREFERENCE)
    plot = draw_plots(material, built(material))[-1]
    assert plot.name == "margins"
    assert "of pairs are above 0" in plot.alt
    assert plot.svg is not None
    assert "currentColor" in plot.svg


def test_many_classes_are_cut_to_the_worst(make_material: Make) -> None:
    """Forty classes do not fit; the plot says how many are shown."""
    material = make_material(labels=tuple(f"class_{i}" for i in range(40)))
    plot = draw_plots(material, built(material))[-1]
    assert "15 of 40" in plot.title


def test_confusion_counts_keep_the_order_of_labels(make_material: Make) -> None:
    """Rows are true classes, columns predicted ones; the sum is the number of rows."""
    items = next(iter(make_material().test.values())).items
    classes, counts = confusion_counts(items, ["unittest", "re"])
    assert classes[:3] == ["unittest", "re", "ast"]
    assert counts.sum() == len(items)
    assert counts[0, 0] == sum(i.reference == i.prediction == classes[0] for i in items)


def test_importance_finds_the_hyperparameter_that_decides(make_material: Make) -> None:
    """Scores that depend on the learning rate alone give it the largest share."""
    material = make_material(n_trials=40)
    trials = [
        t.model_copy(update={"score": math.log10(float(t.config["learning_rate"]))}) if t.score is not None else t
        for t in material.trials
    ]
    found = hyperparameter_importance(material.model_copy(update={"trials": tuple(trials)}), Direction.MAXIMIZE)
    assert isinstance(found, dict)
    assert max(found, key=lambda n: found[n]) == "learning_rate"


def test_importance_of_equal_scores_is_a_sentence(make_material: Make) -> None:
    """If every trial scored the same there is nothing to attribute."""
    material = make_material()
    trials = tuple(t.model_copy(update={"score": 0.5}) if t.score is not None else t for t in material.trials)
    found = hyperparameter_importance(material.model_copy(update={"trials": trials}), Direction.MAXIMIZE)
    assert isinstance(found, str)
    assert "all scores are equal" in found


def test_the_model_card_has_front_matter_and_the_way_back(make_material: Make) -> None:
    """The card names the base model, library, task and metric for the hub, the pinned revision and the command."""
    material = make_material(Task.PREFERENCE)
    directory = Path(material.adapter_dir).parent
    write_report(material, directory)
    card = (directory / "adapter" / "README.md").read_text()
    _, front, body = card.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert fields["library_name"] == "peft"
    assert {"tunewright", "preference", "lora", "sigmoid"} <= set(fields["tags"])
    for text in ("c" * 40, material.command, "3" * 64, "2.13.0", "95 % interval"):
        assert text in body


def test_the_spec_runs_again(make_material: Make) -> None:
    """spec.yaml is the study's own spec, without the output directory that it would overwrite."""
    material = make_material()
    directory = Path(material.adapter_dir).parent
    write_report(material, directory)
    again = TaskSpec.model_validate(yaml.safe_load((directory / "spec.yaml").read_text()))
    assert again == material.plan.spec
    draft = load_spec(directory / "spec.yaml").spec
    assert (draft.task, draft.base_model, draft.budget.trials) == (again.task, again.base_model, again.budget.trials)


def test_writing_twice_gives_the_same_files(make_material: Make) -> None:
    """A report is a function of its material: json, page and plots are equal byte by byte."""
    material = make_material()
    directory = Path(material.adapter_dir).parent
    write_report(material, directory)
    first = {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    write_report(material, directory)
    assert {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()} == first


def test_a_missing_report_is_an_input_error(tmp_path: Path) -> None:
    """Reading a directory without report.json says what to do."""
    with pytest.raises(InputError, match=r"report\.json") as caught:
        read_report(tmp_path)
    assert "run --from-study" in caught.value.hint


def test_few_test_rows_and_reopened_tests_are_remarked(make_material: Make) -> None:
    """The report warns of wide intervals and of a test split that was looked at more than once."""
    material = make_material(n_rows=80).model_copy(update={"test_openings": 2})
    told = " ".join(notes(built(material)))
    assert "80 rows only" in told
    assert "opened 2 times" in told


def test_words_for_numbers() -> None:
    """Scores and long names in their short forms."""
    assert (number(None), number(0.25), number(1234.56)) == ("–", "0.2500", "1235")
    assert shortened("a_very_long_intent_name_17", 12) == "a_very…me_17"
    assert shortened("short", 12) == "short"


def test_what_the_training_tells_stands_in_the_report(make_material: Make, tmp_path: Path) -> None:
    """Rows that were cut or left out, a loss near that of guessing, why the configuration was chosen."""
    material = make_material()
    trial = material.shipped.trial_id
    run = material.results[trial].model_copy(update={"eval_loss": 2.15, "n_truncated": 50, "n_dropped": 2})
    told = material.model_copy(update={"results": {trial: run}, "chosen_why": "the best mean on fresh seeds"})
    remarks = " ".join(build_report(told, tmp_path).remarks)
    assert "because of this: the best mean on fresh seeds." in remarks
    assert f"50 of {run.n_train_rows:,} training rows were cut to" in remarks
    assert f"2 of {run.n_train_rows:,} training rows were left out" in remarks
    assert "validation loss is 2.15, and guessing has 2.30" in remarks
    learnt = told.model_copy(update={"results": {trial: run.model_copy(update={"eval_loss": 0.4})}})
    assert "guessing" not in " ".join(build_report(learnt, tmp_path).remarks)


def test_a_toy_is_called_one_in_the_report(make_material: Make, tmp_path: Path) -> None:
    """And on its card: both show the remarks."""
    material = make_material(Task.SFT)
    spec = material.spec.model_copy(update={"base_model": TINY_CAUSAL})
    toy = material.model_copy(update={"plan": material.plan.model_copy(update={"spec": spec})})
    report = build_report(toy, tmp_path)
    assert "of no use" in report.remarks[0]
    assert "of no use" in render_model_card(toy, report)
