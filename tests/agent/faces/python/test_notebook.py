"""The notebook in examples/ runs from top to bottom as it is written."""

from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[4] / "examples" / "python_api.ipynb"


def read() -> Any:
    """The notebook as it lies in the repository."""
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_is_kept_without_outputs() -> None:
    """Numbers of one machine do not belong into the repository."""
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert [c for c in cells if c.outputs or c.execution_count] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_notebook_runs_and_shows_plan_study_and_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, in a kernel of its own and an empty home."""
    from nbclient import NotebookClient

    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read()
    client = NotebookClient(
        notebook, timeout=1500, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    html = "".join(str(output.data.get("text/html", "")) for output in shown if "data" in output)
    assert "<p>Plan <code>" in html
    assert "<strong>Study 1</strong> is done" in html
    assert any("image/png" in output.data for output in shown if "data" in output)
    printed = "".join(output.text for output in shown if output.output_type == "stream")
    assert "trial  0" in printed
    assert "study_ended" in str(shown[-1].data)
