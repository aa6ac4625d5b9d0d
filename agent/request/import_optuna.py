"""Past studies from Optuna's storages, SQLite or journal files. Nothing is written to them, nothing unpickled."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from trainers.errors import InputError

FIELD = "warm_start"
SQLITE_URL = "sqlite:///"
SQLITE_HEADER = b"SQLite format 3\x00"


def split_source(source: str) -> tuple[str, str | None]:
    """The path and the study's name of "FILE", "FILE#STUDY" or "sqlite:///FILE#STUDY"."""
    path, _, name = source.removeprefix(SQLITE_URL).partition("#")
    return path, name or None


def read_study(path: Path, name: str | None = None) -> Any:
    """The Optuna study called `name` in a storage file, or the only one there; it has one objective.

    Raises InputError for a file that is missing or no such storage, an unknown or missing name, several objectives.
    Takes about a second, most of it for importing Optuna.
    """
    if not path.is_file():
        raise InputError(FIELD, f"{path} must be an existing file.", "Check the path.", code="missing_file")
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = _storage(path)
        names = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=_study_name(names, name, path), storage=storage)
        study.get_trials(deepcopy=False)  # while what a broken file raises is still caught
    except InputError:
        raise
    except Exception as error:  # whatever a broken file makes Optuna and SQLAlchemy raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "Give a file that Optuna wrote; `optuna storage upgrade` mends one of an older version."
        raise InputError(FIELD, f"{path} cannot be read as an Optuna storage: {reason}.", hint) from error
    finally:
        optuna.logging.set_verbosity(before)
    if len(study.directions) > 1:
        rule = f"the study {study.study_name!r} in {path} has {len(study.directions)} objectives, and one is needed."
        raise InputError(FIELD, rule, "Name a study with one objective.")
    return study


def _storage(path: Path) -> Any:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    with path.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    if is_sqlite:  # read-only: opening it otherwise makes tables in a database that has none
        return RDBStorage(f"{SQLITE_URL}file:{quote(str(path))}?mode=ro&uri=true")
    return JournalStorage(JournalFileBackend(str(path)))


def _study_name(names: list[str], name: str | None, path: Path) -> str:
    listing = ", ".join(sorted(names)[:10])
    if name is not None and name not in names:
        raise InputError(FIELD, f"{path} holds no study {name!r}.", f"It holds: {listing or 'none'}.")
    if name is None and len(names) != 1:
        hint = f"Write {path.name}#NAME with one of: {listing}." if names else "Give a file with a study in it."
        raise InputError(FIELD, f"{path} holds {len(names)} studies, and one is needed.", hint)
    return name or names[0]
