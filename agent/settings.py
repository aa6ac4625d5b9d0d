"""Where things live and which planner to ask: environment, project directory, config file, in that order."""

import os
import tomllib
from pathlib import Path

from platformdirs import user_data_dir
from pydantic import ValidationError

from agent.watch.config import Export, Telemetry, Watching, Webhook
from trainers.errors import InputError
from trainers.spec import Closed

PROJECT_DIRECTORY = ".tunewright"


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


class ConfigFile(Closed):
    """`config.toml` in the home directory."""

    llm: str | None = None
    roots: tuple[Path, ...] = ()
    export: Export = Export()
    webhook: Webhook | None = None
    telemetry: Telemetry = Telemetry()

    @property
    def watching(self) -> Watching:
        """The sections about watching studies from outside."""
        return Watching(export=self.export, webhook=self.webhook, telemetry=self.telemetry)


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
    chosen = llm or os.environ.get("TUNEWRIGHT_LLM") or config.llm or "embedded"
    return Settings(home=home, llm=chosen, roots=roots, watching=config.watching)


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
    known = SECTIONS.get(str(problem["loc"][0]), ConfigFile) if len(problem["loc"]) > 1 else ConfigFile
    message = f"the config file must be valid; {key}: {rule[0].lower()}{rule[1:]}{got}."
    return InputError(str(path), message, f"Keys: {', '.join(known.model_fields)}.")
