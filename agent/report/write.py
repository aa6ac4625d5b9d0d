"""Writing the end product of a study: report.json, report.md, report.html, plots, spec.yaml, the model card."""

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from agent.report.build import build_report
from agent.report.material import Material
from agent.report.model import Report, Result, result_of
from agent.study.nouns import Study, report_directory
from trainers.errors import InputError


def write_report(material: Material, directory: Path) -> Report:
    """Write all report files into `directory` (made if missing) and the model card beside the adapter.

    report.json is written last and in one move, so that its presence says the rest is there. Writing again replaces
    everything. About 5 to 10 s, most of it drawing.
    """
    from agent.report.html import render_html
    from agent.report.markdown import render_markdown
    from agent.report.model_card import render_model_card, render_spec
    from agent.report.plots import draw_plots

    directory.mkdir(parents=True, exist_ok=True)
    report = build_report(material, directory)
    plots = draw_plots(material, report)
    (directory / "plots").mkdir(exist_ok=True)
    for plot in plots:
        if plot.png is not None:
            (directory / "plots" / f"{plot.name}.png").write_bytes(plot.png)
    _write(directory / "report.html", render_html(report, plots))
    _write(directory / "report.md", render_markdown(report, plots))
    _write(directory / "spec.yaml", render_spec(material))
    adapter = Path(material.adapter_dir)
    if adapter.is_dir():
        _write(adapter / "README.md", render_model_card(material, report))
    unfinished = directory / ".report.json"
    _write(unfinished, report.model_dump_json(indent=2) + "\n")
    unfinished.replace(directory / "report.json")
    return report


def read_report(directory: Path) -> Report:
    """The report that `write_report` left in `directory`. Raises InputError where there is none to read."""
    try:
        return Report.model_validate_json((directory / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "study",
            f"there must be a report.json in {directory}, and there is none.",
            "It was there when the study was done. Put it back, or run it again: tunewright run --from-study STUDY",
        ) from error
    except ValidationError as error:
        raise InputError(
            "study",
            f"{directory / 'report.json'} must be a report as this version writes it, and it is not.",
            "Read report.md, or upgrade tunewright.",
        ) from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def result_of_study(study: Study) -> Result | None:
    """None where the report was moved away: the study itself can still be looked at."""
    with suppress(InputError):
        return result_of(read_report(report_directory(study)))
    return None
