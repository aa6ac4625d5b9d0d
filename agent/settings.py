"""Where things live and which planner to ask: environment, project directory, config file, in that order."""

import os
import tomllib
from pathlib import Path

from platformdirs import user_data_dir
from pydantic import ValidationError

from trainers.errors import InputError
from trainers.spec import Closed

PROJECT_DIRECTORY = ".tunewright"


class Settings(Closed):
    """Resolved once at start; nothing below the command line reads the environment for these."""

    home: Path
    llm: str = "embedded"
    roots: tuple[Path, ...]
    """Directories that data, models and outputs may lie in, symlinks resolved."""

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.home / "tunewright.db"


class ConfigFile(Closed):
    """`config.toml` in the home directory."""

    llm: str | None = None
    roots: tuple[Path, ...] = ()


def load_settings(llm: str | None = None, cwd: Path | None = None) -> Settings:
    """Settings for this process.

    home: $TUNEWRIGHT_HOME, else the nearest `.tunewright/` at or above `cwd`, else the platform's user data
    directory. llm: the argument, else $TUNEWRIGHT_LLM, else `config.toml`, else `embedded`. roots: `cwd`, home, and
    those of $TUNEWRIGHT_ROOTS (separated like $PATH) and `config.toml`. Raises InputError for a bad config file.
    """
    here = (cwd or Path.cwd()).resolve()
    home = _home(here)
    config = _config(home / "config.toml")
    extra = [Path(p) for p in os.environ.get("TUNEWRIGHT_ROOTS", "").split(os.pathsep) if p]
    roots = tuple(dict.fromkeys(p.expanduser().resolve() for p in (here, home, *config.roots, *extra)))
    chosen = llm or os.environ.get("TUNEWRIGHT_LLM") or config.llm or "embedded"
    return Settings(home=home, llm=chosen, roots=roots)


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
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        message = f"the config file must be valid; {key}: {problem['msg'].lower()}, got {problem['input']!r}."
        raise InputError(str(path), message, f"Keys: {', '.join(ConfigFile.model_fields)}.") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise InputError(str(path), f"the config file must be TOML: {error}.", "Correct or remove it.") from error
