"""The card's lines ask the adapter as this program does, in an interpreter that knows transformers and PEFT only."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.report.model_card import python_lines
from tests.trainers.conftest import bert, classification, llama, preference, sft, write  # noqa: F401
from tools.generate import generate
from trainers.base import Resident
from trainers.fit import fit
from trainers.saved import read_facts

CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
TEXTS = (
    "apple pear wheel",
    "engine brake",
    "plum fig apple",
    "w1 w2 gear",
    "wheel",
    "fig fig",
    "pear brake",
    "gear gear",
)
PROMPTS = ("q0?", "q1?", "q3?", "what", "q6? q6?", "a", "é", "q2?")


def told(adapter: Path, place: str, texts: tuple[str, ...]) -> list[Any]:
    """What the card's program prints for each text that is put in the place of its example."""
    lines = python_lines(read_facts(adapter)).replace("PATH_OF_THIS_DIRECTORY", str(adapter))
    head, body = lines.split("inputs = " if place != "a question" else "turns = ", 1)
    start = "inputs = " if place != "a question" else "turns = "
    asked = "\n".join((start + body).replace(f'"{place}', f'"{text}'.replace("\n", "\\n")) for text in texts)
    printed = "from builtins import print as say\nprint = lambda shown: say(repr(shown))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", printed + head + asked], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [ast.literal_eval(line) for line in done.stdout.splitlines()]


def saved(spec: Any) -> Path:
    """The adapter of a short run."""
    fit(spec, Resident(), lambda point, of: None).save(spec.output_dir / "adapter")
    return spec.output_dir / "adapter"


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_classifier_gives_the_same_classes_and_shares(classification: Any, adapter: str) -> None:  # noqa: F811
    """By their names."""
    path = saved(classification(adapter=adapter))
    for text, line in zip(TEXTS, told(path, "a text", TEXTS), strict=True):
        answer = generate(path, text)
        share, label = line
        assert label == answer.text
        assert share == pytest.approx(answer.probabilities[answer.text], abs=2e-3)


@pytest.mark.parametrize("task", ["sft", "preference"])
def test_a_language_model_writes_the_same_text(request: pytest.FixtureRequest, task: str) -> None:
    """After a plain prompt."""
    path = saved(request.getfixturevalue(task)(max_steps=20))
    assert [text.strip() for text in told(path, "a prompt", PROMPTS)] == [
        generate(path, prompt).text for prompt in PROMPTS
    ]


def test_a_model_of_conversations_is_asked_in_its_template(sft: Any, tmp_path: Path) -> None:  # noqa: F811
    """The card says so by its lines."""
    rows = write(tmp_path / "chat.jsonl", [{"messages": CHAT}] * 32)
    path = saved(sft(train_file=rows, validation_file=rows, max_steps=20))
    assert [text.strip() for text in told(path, "a question", PROMPTS[:4])] == [
        generate(path, prompt).text for prompt in PROMPTS[:4]
    ]
