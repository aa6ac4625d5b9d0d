"""The sections of the config file about watching: off by default, closed, with clear errors."""

import importlib.util
import json

import pytest
from click.testing import CliRunner

from agent.faces.cli.commands import cli
from agent.settings import load_settings
from trainers.errors import InputError


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes a config file and loads the settings."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))

    def load(text):
        (tmp_path / "config.toml").write_text(text)
        return load_settings().watching

    return load


def test_nothing_is_on_without_sections(config):
    """A config file about something else switches nothing on."""
    assert not config('llm = "embedded"\n').any


def test_false_is_off(config):
    """`false` says the same as leaving the key out."""
    assert not config("[export]\ntensorboard = false\nmlflow = false\nwandb = false\ntrackio = false\n").any


def test_every_tracker_can_be_named(config):
    """Each key switches its tracker on."""
    text = '[export]\ntensorboard = true\nmlflow = "http://box:5000"\nwandb = "team/project"\ntrackio = "mine"\n'
    expected = {"tensorboard": True, "mlflow": "http://box:5000", "wandb": "team/project", "trackio": "mine"}
    assert config(text).export.places == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[export]\ntensorboard = 3\n", "export.tensorboard: must be true, or text that names the place, got 3"),
        ('[export]\nmlflow = ""\n', "export.mlflow: must be true, or text"),
        ("[export]\nwandb = true\n", "export.wandb: must be the name of a project"),
        ('[export]\nwandb = "a/b/c"\n', "export.wandb: must be the name of a project"),
        ("[export]\ntensorbord = true\n", "export.tensorbord: extra inputs are not permitted"),
        ('[webhook]\nevents = ["done"]\n', "webhook.url: field required"),
        ('[webhook]\nurl = "https://a.example/x"\nevents = ["gone"]\n', "'done', 'failed', 'cancelled' or 'approval'"),
        ('[webhook]\nurl = "http://a.example/x"\n', "webhook.url: must begin with https://"),
        ('[webhook]\nurl = "http://10.0.0.1/x"\nallow_private = true\n', "webhook.url: must begin with https://"),
        ('[webhook]\nurl = "https://me:pw@a.example/x"\n', "webhook.url: must not hold a user name or password"),
        ('[webhook]\nurl = "file:///etc/passwd"\n', "webhook.url: must be a URL that begins with"),
        ('[webhook]\nurl = "https://a.example:99999/"\n', "webhook.url: must be a URL"),
        ("[telemetry]\notlp = true\n", 'telemetry.otlp: must be the URL of an OTLP collector, or "console"'),
        ('[telemetry]\notlp = "localhost:4318"\n', "telemetry.otlp: must be a URL that begins with"),
    ],
)
def test_a_mistake_is_named_with_its_key(config, text, said):
    """The message holds the key, the rule and what was found."""
    with pytest.raises(InputError) as error:
        config(text)
    assert said in str(error.value)


def test_a_wrong_webhook_address_is_not_repeated(config):
    """The path of a webhook's address often is its password."""
    with pytest.raises(InputError) as error:
        config('[webhook]\nurl = "http://hooks.example/services/T0/s3cr3t"\n')
    assert "s3cr3t" not in str(error.value)
    assert "allow_private" in error.value.hint


def test_http_on_this_machine_is_allowed(config):
    """Loopback needs no TLS."""
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80"):
        assert config(f'[webhook]\nurl = "http://{host}/x"\n').webhook.url == f"http://{host}/x"


def test_doctor_shows_what_is_on_and_what_is_missing(tmp_path, monkeypatch):
    """One line each; the webhook without the secret part of its address; an absent client with what to install."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("TUNEWRIGHT_WEBHOOK_SECRET", "canary-5f1c")
    missing = next((n for n in ("mlflow", "wandb", "trackio") if importlib.util.find_spec(n) is None), None)
    if missing is None:
        pytest.skip("every tracker's client is installed here")
    (tmp_path / "config.toml").write_text(
        f'[export]\ntensorboard = true\n{missing} = "p"\n'
        '[webhook]\nurl = "https://hooks.example/s3cr3t"\n[telemetry]\notlp = "console"\n'
    )
    shown = CliRunner().invoke(cli, ["doctor", "--json"]).output
    found = {f["what"]: f for f in json.loads(shown)["findings"]}
    assert found["tensorboard"]["level"] == "ok"
    assert found[missing]["level"] == "error"
    assert f"tunewright[{missing}]" in found[missing]["hint"]
    assert found["webhook"]["value"] == "done, failed, approval → https://hooks.example (signed)"
    assert found["traces"]["level"] == "ok"
    assert "s3cr3t" not in shown
    assert "canary" not in shown
