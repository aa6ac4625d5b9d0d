"""The plan of the house: few rooms, imports that run downwards only, no circle, functions that fit a screen.

Unlike import-linter, which `make lint` runs too, this looks at every import, those inside functions included.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("agent", "tools", "evals", "trainers", "prompts")
ROOMS = {"faces", "desk", "run", "report", "search", "study", "request", "llm", "settings.py", "errors.py"}
MOST_FUNCTION_IMPORTS = 120
"""Imports of our own modules inside functions: each must save loading a heavy library."""

P90_LINES, MOST_LINES = 20, 65
"""Lines of a function without its docstring."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Import = ast.Import | ast.ImportFrom


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """Every product module by its dotted name."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {_name(path): ast.parse(path.read_text()) for path in paths}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(node: Import, modules: dict[str, ast.Module]) -> set[str]:
    """The product modules that an import statement names."""
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
    else:
        inside = {f"{node.module}.{alias.name}" for alias in node.names}
        names = {name if name in modules else str(node.module) for name in inside}
    return names & set(modules)


def _imports(tree: ast.AST) -> Iterator[Import]:
    return (node for node in ast.walk(tree) if isinstance(node, Import))


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


@pytest.fixture(scope="module")
def graph(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Module to the modules it imports anywhere."""
    return {
        name: set().union(*(_imported(node, modules) for node in _imports(tree))) - {name}
        for name, tree in modules.items()
    }


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for module in graph[waiting.pop()] - seen:
            seen.add(module)
            waiting.append(module)
    return seen


def test_no_circle(graph: dict[str, set[str]]) -> None:
    """No module reaches itself, whether the imports stand at the top of a file or in a function."""
    assert [name for name in graph if name in _reachable(name, graph)] == []


def test_no_import_runs_upwards(graph: dict[str, set[str]]) -> None:
    """By the layers of pyproject.toml; rooms on one floor do not know each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    upwards = []
    for contract in contracts:
        if contract["type"] != "layers":
            continue
        inside = [f"{container}." for container in contract.get("containers", [])] or [""]
        for prefix in inside:
            floor = {
                f"{prefix}{room.strip()}": height
                for height, floor in enumerate(contract["layers"])
                for room in floor.split("|")
            }
            for name, imported in graph.items():
                here = _room(name, floor)
                for other in imported:
                    there = _room(other, floor)
                    if here and there and here != there and floor[there] <= floor[here]:
                        upwards.append(f"{name} -> {other}")
    assert upwards == []


def _room(module: str, floor: dict[str, int]) -> str | None:
    return next((room for room in floor if module == room or module.startswith(f"{room}.")), None)


def test_agent_has_ten_entries() -> None:
    """Beside the package's own file and the skill; each is a question of docs/architecture.md."""
    entries = {path.name for path in (ROOT / "agent").iterdir()} - {"__init__.py", "SKILL.md", "__pycache__"}
    assert entries == ROOMS


def test_imports_stand_at_the_top(modules: dict[str, ast.Module]) -> None:
    """But for those that save loading a heavy library."""
    inside = {
        (name, node.lineno)
        for name, tree in modules.items()
        for function in _functions(tree)
        for node in _imports(function)
        if _imported(node, modules)
    }
    assert len(inside) <= MOST_FUNCTION_IMPORTS


def test_functions_fit_a_screen(modules: dict[str, ast.Module]) -> None:
    """Nine in ten have at most twenty lines."""
    lengths = sorted(_lines(function) for tree in modules.values() for function in _functions(tree))
    assert lengths[int(len(lengths) * 0.9)] <= P90_LINES
    assert lengths[-1] <= MOST_LINES


def _lines(function: Function) -> int:
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring
