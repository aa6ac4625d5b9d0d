"""The one database: opening it, transactions, and the studies in it.

`Store` is `TrialRows` (trials, attempts, curves), `Journal` (events, costs, openings) and `DeskRows` (plans that wait,
the queue, conversations) over one connection.
Nothing acknowledged is lost: a method that has returned has committed with `synchronous=FULL`.
"""

from contextlib import ExitStack, nullcontext
from pathlib import Path
from urllib.parse import quote

from agent.errors import InputError
from agent.request.plan import Plan
from agent.study.desk_rows import DeskRows
from agent.study.journal import Journal
from agent.study.lock import one_at_a_time, owner_pid
from agent.study.nouns import ENDED, History, Phase, Study, StudyState
from agent.study.rows import Row, now
from agent.study.trials import TrialRows

BUSY_TIMEOUT_SECONDS = 30.0
"""Longest observed wait of one of 8 writers with full synchronisation was 3.4 s; ten times that is not a queue."""

PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", "mmap_size = 0")


class Store(TrialRows, Journal, DeskRows):
    """Typed verbs over the database of one home directory. Usable from several threads; one owner a study."""

    @classmethod
    def open(cls, path: Path, read_only: bool = False) -> "Store":
        """Open the database at `path`; create or migrate it unless `read_only`.

        Raises InputError for a directory that cannot be written, and where a read-only database does not exist or was
        written by a newer version.
        """
        import sqlite3

        from sqlite_utils import Database

        if read_only and not path.exists():
            raise InputError(
                "home", f"there is no database at {path}.", "Start with `tunewright run`, or set TUNEWRIGHT_HOME."
            )
        # not the transaction's own lock: the first switch to WAL does not wait for anybody
        with nullcontext() if read_only else one_at_a_time(path.with_name(path.name + ".lock")):
            mode = "ro" if read_only else "rwc"
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode={mode}",
                uri=True,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            with ExitStack() as stack:
                stack.callback(connection.close)
                store = cls(path, Database(connection))
                try:
                    for pragma in PRAGMAS:
                        connection.execute(f"PRAGMA {pragma}")
                    store._migrate(read_only)
                except sqlite3.DatabaseError as error:
                    hint = "Move it away to start afresh."
                    raise InputError("home", f"{path} cannot be used: {error}.", hint) from error
                stack.pop_all()
        return store

    def close(self) -> None:
        """Let go of the file. Waits for what another thread is writing: closing under it would crash the process."""
        with self._lock:
            self._database.conn.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def version(self) -> int:
        """A number that changes whenever another connection has committed something."""
        return int(self.query("PRAGMA data_version")[0]["data_version"])

    def create_study(self, plan: Plan, command: str = "") -> Study:
        """Store an approved plan as a PLANNED study; `{study}` in the command stands for its id.

        Raises InputError for a plan with anything open.
        """
        if not plan.ready:
            raise InputError("plan", "only a plan without open questions can be carried out.", "Answer them first.")
        with self.tx():
            row_id = self.write(
                "INSERT INTO studies (state, created_at, plan, plan_hash, command, cwd)"
                " VALUES ('PLANNED', ?, ?, ?, ?, ?)",
                (now(), plan.model_dump_json(), plan.plan_hash, command, str(Path.cwd())),
            ).lastrowid
            self.write("UPDATE studies SET command = replace(command, '{study}', id) WHERE id = ?", (row_id,))
        return self.study(str(row_id))

    def study(self, study_id: str) -> Study:
        """One study. Raises InputError naming those there are."""
        rows = self.query("SELECT * FROM studies WHERE CAST(id AS TEXT) = ?", (study_id,))
        if not rows:
            rule = f"no study {study_id!r}; studies here: {', '.join(self.study_ids()) or 'none'}."
            raise InputError("study", rule, f"In {self._path}.", code="not_found")
        return self._study_from(rows[0])

    def studies(self) -> list[Study]:
        """All studies, oldest first."""
        return [self._study_from(row) for row in self.query("SELECT * FROM studies ORDER BY id")]

    def set_state(self, study_id: str, state: StudyState, error: str | None = None) -> None:
        """Move a study on; DONE, FAILED and CANCELLED set the time it ended and settle a cancel request."""
        over = state in ENDED
        self.write(
            "UPDATE studies SET state = ?, error = ?, finished_at = ?, cancel_requested = cancel_requested AND ?"
            " WHERE id = ?",
            (state, error, now() if over else None, not over, study_id),
        )

    def take_over(self, study_id: str, pid: int) -> None:
        """Note the process that runs a study from now on; it must hold the study's lock (`agent.study.lock`)."""
        self.write(
            "UPDATE studies SET owner_pid = ?, started_at = coalesce(started_at, ?) WHERE id = ?",
            (pid, now(), study_id),
        )

    def request_cancel(self, study_id: str) -> int | None:
        """Ask the process that runs a study to stop; its pid. Where nobody runs it, it is CANCELLED at once (None).

        The request stays, so that a process which is just about to take the study up finds it. Raises InputError for
        a study that is DONE.
        """
        study = self.study(study_id)
        if study.state is StudyState.DONE:
            raise InputError(
                "study", f"study {study_id} is done; nothing is left to cancel.", f"See `tunewright report {study_id}`."
            )
        pid = owner_pid(study.directory)
        with self.tx():
            if pid is None:
                self.interrupt_attempts(study_id)
                self.set_state(study_id, StudyState.CANCELLED)
            self.write("UPDATE studies SET cancel_requested = 1 WHERE id = ?", (study_id,))
        return pid

    def withdraw_cancel(self, study_id: str) -> None:
        """Somebody wants the study to go on: forget cancel requests of before, unless they are to a running process."""
        if owner_pid(self.study(study_id).directory) is None:
            self.write("UPDATE studies SET cancel_requested = 0 WHERE id = ?", (study_id,))

    def cancel_requested(self, study_id: str) -> bool:
        """Whether a request to stop the study is open."""
        rows = self.query("SELECT cancel_requested FROM studies WHERE id = ?", (study_id,))
        return bool(rows and rows[0]["cancel_requested"])

    def history(self, study_id: str) -> History:
        """What proposers may see of a study: its search trials."""
        direction = self.study(study_id).spec.objective.direction
        return History(direction=direction, trials=tuple(self.trials(study_id, Phase.SEARCH)))

    def _study_from(self, row: Row) -> Study:
        study_id = str(row["id"])
        fields = {name: row[name] for name in Study.model_fields if name in row}
        fields |= {"study_id": study_id, "directory": self._path.parent / "studies" / study_id}
        return Study.model_validate(fields | {"plan": Plan.model_validate_json(row["plan"])})

    def _migrate(self, read_only: bool) -> None:
        from agent.study.migrations import MIGRATIONS, STEPS

        applied = {migration.name for migration in MIGRATIONS.applied(self._database)}
        if unknown := sorted(applied - set(STEPS)):
            raise InputError(
                "home", f"{self._path} was written by a newer version ({', '.join(unknown)}).", "Upgrade tunewright."
            )
        if read_only and applied != set(STEPS):
            raise InputError(
                "home", f"{self._path} has an older schema.", "Run any command that writes, once.", code="old_schema"
            )
        if not read_only:
            self._database.conn.execute("PRAGMA journal_mode = WAL")
            with self.tx():
                MIGRATIONS.apply(self._database)


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    import sqlite3

    return sqlite3.sqlite_version_info
