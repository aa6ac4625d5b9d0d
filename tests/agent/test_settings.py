"""Home, roots and planner from environment, project directory and config file; bad ones are named."""

import pytest

from agent.faces.cli.doctor import examine
from agent.settings import Settings, load_settings
from trainers.errors import InputError


@pytest.fixture(autouse=True)
def without_environment(monkeypatch):
    """The caller's own settings stay out of the tests."""
    for name in ("TUNEWRIGHT_HOME", "TUNEWRIGHT_LLM", "TUNEWRIGHT_ROOTS"):
        monkeypatch.delenv(name, raising=False)


def test_a_project_directory_above_is_the_home(tmp_path):
    """`.tunewright/` at or above the working directory wins over the user's data directory."""
    (tmp_path / ".tunewright").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert load_settings(cwd=tmp_path / "a" / "b").home == tmp_path / ".tunewright"


def test_flag_then_environment_then_file_name_the_planner(tmp_path, monkeypatch):
    """The nearest word wins; nothing said means `embedded`."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))
    assert load_settings().llm == "embedded"
    (tmp_path / "config.toml").write_text('llm = "openai:of-the-file"')
    assert load_settings().llm == "openai:of-the-file"
    monkeypatch.setenv("TUNEWRIGHT_LLM", "openai:of-the-environment")
    assert load_settings().llm == "openai:of-the-environment"
    assert load_settings("embedded").llm == "embedded"


def test_roots_are_the_working_directory_the_home_and_what_is_added(tmp_path, monkeypatch):
    """In this order, symlinks resolved."""
    for name in ("here", "home", "more", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "home" / "config.toml").write_text(f'roots = ["{tmp_path}/link"]')
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUNEWRIGHT_ROOTS", str(tmp_path / "more"))
    found = load_settings(cwd=tmp_path / "here").roots
    assert found == tuple(tmp_path / name for name in ("here", "home", "real", "more"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"llm = 3", "llm: input should be a valid string, got 3"),
        (b"lllm = 'embedded'", "lllm: extra inputs"),
        (b"roots = [", "must be TOML"),
        (b"\xff\xfe", "must be TOML"),
    ],
)
def test_a_bad_config_file_is_bad_input(tmp_path, monkeypatch, content, said):
    """Wrong type, unknown key, broken TOML, not UTF-8: the file is named, with the rule and the value."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        load_settings()
    assert caught.value.param == str(tmp_path / "config.toml")
    assert caught.value.hint


def test_a_home_below_a_file_is_bad_input(tmp_path, monkeypatch):
    """A home that cannot be is said before anything is planned."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(InputError, match="home directory must be a directory") as caught:
        load_settings()
    assert caught.value.param == "TUNEWRIGHT_HOME"


def test_the_doctor_finds_a_home_that_cannot_be_written(tmp_path, monkeypatch):
    """It says which place refuses, and does not try by writing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "file").write_text("")
    bad, good = (
        {f.what: f for f in examine(Settings(home=home, roots=(tmp_path,)))}
        for home in (tmp_path / "file" / "home", tmp_path / "new" / "home")
    )
    assert (bad["home"].level, good["home"].level) == ("error", "ok")
    assert str(tmp_path / "file") in bad["home"].value
    assert not (tmp_path / "new").exists()
