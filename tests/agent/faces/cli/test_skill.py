"""The instructions for coding agents that come with the package."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from agent.faces.cli.commands import cli
from agent.faces.cli.skill import skill_text


def front_matter():
    """The YAML between the first two lines of dashes."""
    _, head, body = skill_text().split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_front_matter_is_as_agent_skills_expect():
    """A name like its directory and a description that says what it does and when to use it."""
    head, body = front_matter()
    assert set(head) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["name"])
    assert len(head["name"]) <= 64
    assert 1 <= len(head["description"]) <= 1024
    assert "Use when" in head["description"]
    assert len(head["compatibility"]) <= 500
    assert len(body.splitlines()) < 500


def test_every_command_and_option_it_names_exists():
    """An agent must be able to copy what is written there."""
    for line in re.findall(r"tunewright ([a-z]+[^\n`|]*)", skill_text()):
        verb, *words = line.split()
        if verb not in cli.commands:
            assert verb in ("command",), line  # "the tunewright command"
            continue
        known = {name for parameter in cli.commands[verb].params for name in parameter.opts}
        assert {word.rstrip(",") for word in words if word.startswith("--")} <= known, line


def test_every_field_it_names_is_one_that_is_printed():
    """Keys of the plan, the study card and the report."""
    from agent.desk.cards import StudyCard
    from agent.report.model import Report, Side
    from agent.request.plan import Plan
    from evals.stats import Gain

    text = skill_text()
    named = {
        Plan: ("questions", "error", "refusal", "spec", "provenance", "estimate", "notes", "ignored"),
        StudyCard: ("state_words", "trials_over", "trials_limit", "seconds_left_p50", "over", "best", "default"),
        Report: ("verdict", "best", "default", "gain", "shipped", "deviations"),
        Side: ("test_score", "ci95"),
        Gain: ("value", "ci95", "distinguishable"),
    }
    for model, fields in named.items():
        for field in fields:
            assert field in model.model_fields, (model, field)
            assert field in text


def invoke(*arguments):
    """Exit code and output of `tunewright skill`."""
    result = CliRunner().invoke(cli, ["skill", *arguments])
    return result.exit_code, result.stdout


def test_it_is_printed_as_it_is_shipped():
    """To be piped into a file."""
    assert invoke() == (0, skill_text())
    assert json.loads(invoke("--json")[1])["text"] == skill_text()


def test_it_is_installed_under_its_name_and_again(tmp_path):
    """A newer one takes the place of an older one of ours."""
    code, out = invoke("--install", str(tmp_path / "skills"), "--json")
    path = tmp_path / "skills" / "tunewright" / "SKILL.md"
    assert (code, json.loads(out)["path"]) == (0, str(path))
    path.write_text(skill_text().replace("The five steps", "Four steps"))
    assert invoke("--install", str(tmp_path / "skills"))[0] == 0
    assert path.read_text() == skill_text()
    assert [p.name for p in path.parent.iterdir()] == ["SKILL.md"]


@pytest.mark.parametrize("in_the_way", ["file", "link", "linked directory"])
def test_what_is_not_ours_is_left_alone(tmp_path, in_the_way):
    """Neither overwritten nor followed."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "SKILL.md").write_text("---\nname: somebody-elses\n---\n")
    place = tmp_path / "skills" / "tunewright"
    if in_the_way == "linked directory":
        place.parent.mkdir()
        place.symlink_to(other)
    else:
        place.mkdir(parents=True)
        if in_the_way == "link":
            (place / "SKILL.md").symlink_to(other / "SKILL.md")
        else:
            (place / "SKILL.md").write_text((other / "SKILL.md").read_text())
    code, out = invoke("--install", str(tmp_path / "skills"), "--json")
    assert (code, json.loads(out)["error"]["param"]) == (2, "install")
    assert "somebody-elses" in (other / "SKILL.md").read_text()


def test_a_directory_that_cannot_be_written_is_bad_input(tmp_path):
    """A file where a directory should be."""
    (tmp_path / "file").write_text("")
    code, out = invoke("--install", str(tmp_path / "file"), "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "bad_input")
