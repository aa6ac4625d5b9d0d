"""The error codes, read from the sources: classes that have one, and the codes of input that was refused."""

import ast
from collections.abc import Iterator
from pathlib import Path

from reference_tables import table

from agent.errors import TunewrightError
from trainers.errors import LATER

ROOT = Path(__file__).parent.parent
FOLDERS = ("agent", "tools", "evals", "trainers", "prompts")
EXIT_CODES = (
    (0, "done"),
    (1, "the work failed"),
    (2, "bad input"),
    (3, "a question or an approval is open"),
    (4, "the budget was spent before anything useful"),
    (130, "interrupted; `resume` goes on"),
)


def lines() -> list[str]:
    """The page without its title."""
    said = (
        "Errors are told as `{code, message, param, hint, retryable}`: `code` is for programs and stays, `param` names "
        "the field or option, `hint` the next step, `retryable` whether the very same call may succeed later."
    )
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in _sources()]
    classes = sorted(row for tree in trees for row in _classes(tree))
    refused: dict[str, str] = {}
    for code, rule in sorted(row for tree in trees for row in _refusals(tree)):
        refused[code] = refused.get(code) or (rule if rule.strip("….") else "")
    return [
        said, "", "## Exit codes", "", *table(("code", "meaning"), EXIT_CODES),
        "## Errors by kind", "", *table(("code", "exit code", "retryable", "meaning"), classes),
        "## Input that cannot be used", "",
        "Exit code 2. `bad_input` is the code of all that is not listed; `…` stands for what was found.", "",
        *table(("code", "retryable", "message"), [(f"`{c}`", _yes(c in LATER), rule) for c, rule in refused.items()]),
    ]  # fmt: skip


def _sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _classes(tree: ast.Module) -> Iterator[tuple[str, str, str, str]]:
    """(code, exit code, retryable, sentence) of the error classes that have a code of their own."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        given = {
            target.id: item.value.value
            for item in node.body
            if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant)
            for target in item.targets
            if isinstance(target, ast.Name)
        }
        if isinstance(given.get("code"), str) and (said := ast.get_docstring(node)):
            code, retryable = given.get("exit_code", TunewrightError.exit_code), bool(given.get("retryable"))
            yield f"`{given['code']}`", str(code), _yes(retryable), said.split("\n\n")[0]


def _refusals(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(code, rule) of every InputError that is made with a code, and of its subclasses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
            yield from (found for call in calls if (found := _refusal(call, node)))
        elif isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "InputError" for base in node.bases):
            codes = [
                k.value
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                for k in call.keywords
                if k.arg == "code"
            ]
            said = (ast.get_docstring(node) or "").split("\n\n")[0]
            yield from ((str(code.value), said) for code in codes if isinstance(code, ast.Constant))


def _refusal(call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, str] | None:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    code = call.args[3] if len(call.args) > 3 else named.get("code")
    if not (isinstance(code, ast.Constant) and isinstance(code.value, str) and ast.unparse(call.func) == "InputError"):
        return None
    rule = call.args[1] if len(call.args) > 1 else named.get("rule")
    if isinstance(rule, ast.Name):  # what was last put into that name above the call
        given = [
            item
            for item in ast.walk(function)
            if isinstance(item, ast.Assign) and item.lineno < call.lineno and ast.unparse(item.targets[0]) == rule.id
        ]
        rule = max(given, key=lambda item: item.lineno).value if given else None
    return code.value, _text(rule)


def _text(node: ast.AST | None) -> str:
    """A string literal, what is filled in shown as an ellipsis."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return ""
