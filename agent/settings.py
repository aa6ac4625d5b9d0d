"""Where things live and which planner to ask: environment, project directory, config file, in that order."""

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from platformdirs import user_data_dir
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from trainers.errors import InputError
from trainers.spec import Closed

TrackerName = Literal["tensorboard", "mlflow", "wandb", "trackio"]
WebhookEvent = Literal["done", "failed", "cancelled", "approval"]

PROJECT_DIRECTORY = ".tunewright"
MAX_NAME = 128
"""Characters of a project's name; what W&B allows."""

_PROJECT = re.compile(r"[^/\\#?%:\s][^/\\#?%:]*(?:/[^/\\#?%:]+)?")


def _place(value: object) -> object:
    """`true`, or text that is not empty; `false` is off."""
    if value is False:
        return None
    if value is True or value is None or (isinstance(value, str) and value.strip()):
        return value
    raise ValueError("must be true, or text that names the place")


def _project(value: object) -> object:
    if value is False:
        return None
    if value is None or (isinstance(value, str) and len(value) <= MAX_NAME and _PROJECT.fullmatch(value)):
        return value
    raise ValueError(rf"must be the name of a project: at most {MAX_NAME} characters, none of \ # ? % :")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its very spelling."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL; {error}") from error
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("must be a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    return url


def _hook(url: str) -> str:
    parts = urlsplit(_url(url))
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://, unless it is on this machine (localhost, 127.0.0.1)")
    return url


def _collector(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError('must be the URL of an OTLP collector, or "console"')
    return value if value in (None, "console") else _url(str(value))


Place = Annotated[bool | str | None, BeforeValidator(_place)]
Project = Annotated[str | None, BeforeValidator(_project)]


class Export(Closed):
    """Experiment trackers that get a run for every trial, each through its own client."""

    tensorboard: Place = Field(None, description="directory for event files; true: `tensorboard/` in the home")
    mlflow: Place = Field(None, description="tracking URI; true: `mlflow.db` in the home")
    wandb: Project = Field(None, description="project of Weights & Biases, PROJECT or ENTITY/PROJECT")
    trackio: Project = Field(None, description="project of trackio")

    @property
    def places(self) -> dict[TrackerName, bool | str]:
        """The trackers that are switched on, and where each writes."""
        places: dict[TrackerName, bool | str | None] = {name: getattr(self, name) for name in get_args(TrackerName)}
        return {name: place for name, place in places.items() if place is not None}


class Webhook(Closed):
    """Where to tell that a study is over or that a plan waits. The secret that signs is $TUNEWRIGHT_WEBHOOK_SECRET."""

    url: Annotated[str, AfterValidator(_hook)] = Field(description="https, or http on this machine")
    events: tuple[WebhookEvent, ...] = Field(("done", "failed", "approval"), description="which notices are sent")
    allow_private: bool = Field(False, description="also deliver to addresses of the own network")
    link: Annotated[str, AfterValidator(_url)] | None = Field(
        None, description="where people find a study, such as https://box.example/studies/{study}; sent as `url`"
    )

    @property
    def origin(self) -> str:
        """The address without its path, which often is a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Telemetry(Closed):
    """OpenTelemetry traces of studies, LLM calls and tool calls."""

    otlp: Annotated[str | None, BeforeValidator(_collector)] = Field(
        None, description='OTLP collector over HTTP, such as http://localhost:4318; or "console"'
    )
    content: bool = Field(False, description="also send prompts, replies and tool arguments")


class Watching(Closed):
    """Everything that watches studies from outside."""

    export: Export = Export()
    webhook: Webhook | None = None
    telemetry: Telemetry = Telemetry()

    @property
    def traced(self) -> bool:
        """Whether traces go anywhere."""
        return self.telemetry.otlp is not None

    @property
    def any(self) -> bool:
        """Whether anything is switched on."""
        return bool(self.export.places) or self.webhook is not None or self.traced


class Settings(Closed):
    """Resolved once at start; nothing below the command line reads the environment for these."""

    home: Path
    llm: str = "embedded"
    roots: tuple[Path, ...]
    """Directories that data, models and outputs may lie in, symlinks resolved."""
    watching: Watching = Watching()
    """Trackers, webhook and traces; off unless the config file switches them on."""

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.home / "tunewright.db"


class ConfigFile(Watching):
    """`config.toml` in the home directory."""

    llm: str | None = None
    roots: tuple[Path, ...] = ()


SECTIONS: dict[str, type[Closed]] = {"export": Export, "webhook": Webhook, "telemetry": Telemetry}


def load_settings(llm: str | None = None, cwd: Path | None = None, home: Path | None = None) -> Settings:
    """Settings for this process.

    home: the argument, else $TUNEWRIGHT_HOME, else the nearest `.tunewright/` at or above `cwd`, else the platform's
    user data directory. llm: the argument, else $TUNEWRIGHT_LLM, else `config.toml`, else `embedded`. roots: `cwd`,
    home, and those of $TUNEWRIGHT_ROOTS (separated like $PATH) and `config.toml`. Raises InputError for a bad config
    file, and where the working directory is gone.
    """
    here = (cwd or _working_directory()).resolve()
    home = _home(here) if home is None else home.expanduser().resolve()
    config = _config(home / "config.toml")
    extra = [Path(p) for p in os.environ.get("TUNEWRIGHT_ROOTS", "").split(os.pathsep) if p]
    roots = tuple(dict.fromkeys(p.expanduser().resolve() for p in (here, home, *config.roots, *extra)))
    planner = llm or os.environ.get("TUNEWRIGHT_LLM") or config.llm or "embedded"
    watching = Watching(export=config.export, webhook=config.webhook, telemetry=config.telemetry)
    return Settings(home=home, llm=planner, roots=roots, watching=watching)


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise InputError("directory", "the working directory is gone.", "Go to one that exists: cd ~") from error


def _home(here: Path) -> Path:
    if named := os.environ.get("TUNEWRIGHT_HOME"):
        return Path(named).expanduser().resolve()
    for directory in (here, *here.parents):
        if (directory / PROJECT_DIRECTORY).is_dir():
            return directory / PROJECT_DIRECTORY
    return Path(user_data_dir("tunewright", appauthor=False))


def _config(path: Path) -> ConfigFile:
    try:
        return ConfigFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ConfigFile()
    except OSError as error:
        rule = f"the home directory must be a directory that can be read; {path.parent} is not ({error.strerror})."
        raise InputError("TUNEWRIGHT_HOME", rule, "Name another directory, or mend its permissions.") from error
    except ValidationError as error:
        raise _invalid(path, error) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise InputError(str(path), f"the config file must be TOML: {error}.", "Correct or remove it.") from error


def _invalid(path: Path, error: ValidationError) -> InputError:
    """The first problem of a config file, with the keys that its section knows."""
    problem = error.errors()[0]
    key = ".".join(map(str, problem["loc"]))
    rule = problem["msg"].removeprefix("Value error, ")
    got = "" if key == "webhook.url" else f", got {problem['input']!r}"  # it may be as good as a password
    section = SECTIONS.get(str(problem["loc"][0]), ConfigFile) if len(problem["loc"]) > 1 else ConfigFile
    message = f"the config file must be valid; {key}: {rule[0].lower()}{rule[1:]}{got}."
    return InputError(str(path), message, f"Keys: {', '.join(section.model_fields)}.")
