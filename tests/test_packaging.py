"""What is shipped, and that nobody else owns our names."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("agent", "evals", "prompts", "tools", "trainers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked in an empty directory."""
    out = tmp_path_factory.mktemp("wheel")
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools would ship what an earlier build left there
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    site = out / "site"
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        archive.extractall(site)
    return site


def in_wheel(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the unpacked wheel in front, away from the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-P", *arguments], cwd=site.parent, env=environment, capture_output=True, text=True
    )


def test_wheel_holds_our_five_packages_and_nothing_else(wheel: Path) -> None:
    """Tests, docs and CI files are not shipped."""
    assert sorted(p.name for p in wheel.iterdir() if not p.name.endswith(".dist-info")) == sorted(OURS)


def test_every_package_in_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    """The explicit list of packages in pyproject.toml is complete."""
    here = {str(p.relative_to(ROOT)) for name in OURS for p in (ROOT / name).rglob("*.py")}
    shipped = {str(p.relative_to(wheel)) for name in OURS for p in (wheel / name).rglob("*.py")}
    assert shipped == here


def test_help_answers_from_the_wheel(wheel: Path) -> None:
    """The command works without the checkout."""
    done = in_wheel(wheel, "-m", "agent.faces.cli", "--help")
    assert done.returncode == 0, done.stderr
    assert "plain language" in done.stdout


def test_every_prompt_and_template_is_readable_from_the_wheel(wheel: Path) -> None:
    """A wheel without its prompts would fail only when an LLM is asked."""
    code = "import sys, prompts; print(prompts.__file__)\nfrom prompts import source"
    code += "\nfor name in sys.argv[1:]: source(name)"
    names = [p.stem for p in (ROOT / "prompts").glob("*.md") if p.stem != "README"]
    done = in_wheel(wheel, "-c", code, *names)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(wheel))
    page = [f"agent/faces/http/page/{folder}/*" for folder in ("static", "templates", "vendor")]
    data = ("agent/report/*.j2", "agent/study/schema/*.sql", "evals/requests/*.json", "agent/faces/http/page/*.toml")
    for pattern in (*data, *page):
        assert {p.name for p in wheel.glob(pattern)} == {p.name for p in ROOT.glob(pattern)} != set()


def test_the_skill_for_coding_agents_is_in_the_wheel(wheel: Path) -> None:
    """`tunewright skill` prints it there as well."""
    done = in_wheel(wheel, "-m", "agent.faces.cli", "skill")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "agent" / "SKILL.md").read_text(encoding="utf-8")


def test_the_python_interface_opens_from_the_wheel(wheel: Path) -> None:
    """`from agent import Tunewright` finds the shipped package, and an empty home."""
    code = (
        "import sys; from agent import Tunewright as T; print(T(sys.argv[1]).studies(), sys.modules['agent'].__file__)"
    )
    done = in_wheel(wheel, "-c", code, str(wheel.parent / "home"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]", str(wheel / "agent" / "__init__.py")]


def test_requests_are_read_from_the_wheel(wheel: Path) -> None:
    """The words that the rules reader knows are in it."""
    code = (
        "from agent.request.rules.reader import read_by_rules as read; print(read('acht versuche').spec.budget.trials)"
    )
    done = in_wheel(wheel, "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("8", "")


def test_no_other_distribution_owns_our_names() -> None:
    """A package like Mako 1.4.0, which shipped a top-level `tools`, would be imported in place of ours."""
    owners = importlib.metadata.packages_distributions()
    assert {name: [o for o in owners.get(name, []) if o != "tunewright"] for name in OURS} == {n: [] for n in OURS}
