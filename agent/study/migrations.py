"""The steps of the one database's schema, `schema/*.sql`; a released step is never edited, only followed by another."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Migrations

STEPS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "schema").glob("*.sql"))}
"""Name to statements, in order; a database that holds other steps was written by a newer version."""


def _carry_out(script: str, db: Any) -> None:
    """One by one, for `executescript` would end the transaction; a blank line follows each statement."""
    for statement in script.split("\n\n"):
        db.execute(statement)


MIGRATIONS = Migrations("tunewright")
for _name, _script in STEPS.items():
    MIGRATIONS(name=_name)(partial(_carry_out, _script))
