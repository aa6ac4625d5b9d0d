"""The schema of the one database, as named steps; a released step is never edited, only followed by another."""

from functools import partial
from typing import Any

from sqlite_utils import Migrations

DESK_SCHEMA = (
    "ALTER TABLE studies ADD COLUMN cwd TEXT",
    """
    CREATE TABLE plans (
        plan_hash TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        request TEXT NOT NULL,
        llm TEXT NOT NULL,
        draft TEXT NOT NULL CHECK (json_valid(draft)),
        overrides TEXT NOT NULL CHECK (json_valid(overrides)),
        plan TEXT NOT NULL CHECK (json_valid(plan)),
        llm_call_ids TEXT NOT NULL CHECK (json_valid(llm_call_ids)),
        edited INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE queue (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        study_id INTEGER NOT NULL UNIQUE REFERENCES studies (id),
        queued_at TEXT NOT NULL,
        paused INTEGER NOT NULL DEFAULT 0,
        starts INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE submissions (
        study_id INTEGER PRIMARY KEY REFERENCES studies (id),
        at TEXT NOT NULL,
        face TEXT NOT NULL,
        key TEXT UNIQUE,
        plan_hash TEXT NOT NULL,
        job TEXT CHECK (job IS NULL OR json_valid(job))
    ) STRICT
    """,
    """
    CREATE TABLE files (
        id TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        filename TEXT NOT NULL,
        purpose TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        path TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        title TEXT NOT NULL,
        llm TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id),
        at TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
        text TEXT NOT NULL,
        data TEXT NOT NULL CHECK (json_valid(data))
    ) STRICT
    """,
    "CREATE INDEX turns_of_conversation ON turns (conversation_id, id)",
)

FIRST_SCHEMA = (
    """
    CREATE TABLE studies (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        state TEXT NOT NULL CHECK (state IN (
            'PLANNED', 'SEARCHING', 'CONFIRMING', 'REPORTING', 'DONE', 'CANCELLED', 'FAILED')),
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        plan TEXT NOT NULL CHECK (json_valid(plan)),
        plan_hash TEXT NOT NULL,
        command TEXT NOT NULL,
        error TEXT,
        owner_pid INTEGER,
        cancel_requested INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE trials (
        id TEXT PRIMARY KEY,
        study_id INTEGER NOT NULL REFERENCES studies (id),
        number INTEGER NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('search', 'confirm')),
        state TEXT NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'COMPLETE', 'PRUNED', 'FAILED')),
        proposal TEXT NOT NULL CHECK (json_valid(proposal)),
        seed INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        score REAL,
        reason TEXT,
        error TEXT,
        adapter_dir TEXT,
        result TEXT CHECK (result IS NULL OR json_valid(result)),
        validation TEXT CHECK (validation IS NULL OR json_valid(validation)),
        UNIQUE (study_id, number),
        CHECK ((score IS NOT NULL) = (state IN ('COMPLETE', 'PRUNED'))),
        CHECK ((reason IS NOT NULL) = (state = 'FAILED'))
    ) STRICT
    """,
    """
    CREATE TRIGGER trials_move_forward BEFORE UPDATE OF state ON trials
    WHEN NOT (
        (OLD.state = 'WAITING' AND NEW.state = 'RUNNING')
        OR (OLD.state = 'RUNNING' AND NEW.state IN ('WAITING', 'COMPLETE', 'PRUNED', 'FAILED')))
    BEGIN SELECT RAISE(ABORT, 'a trial cannot change its state this way'); END
    """,
    """
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        trial_id TEXT NOT NULL REFERENCES trials (id),
        number INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('RUNNING', 'COMPLETE', 'FAILED', 'INTERRUPTED')),
        device TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        seconds REAL NOT NULL DEFAULT 0.0,
        pid INTEGER,
        load_seconds REAL,
        reason TEXT,
        error TEXT,
        UNIQUE (trial_id, number)
    ) STRICT
    """,
    """
    CREATE TABLE metrics (
        attempt_id TEXT NOT NULL REFERENCES attempts (id),
        step INTEGER NOT NULL,
        loss REAL,
        eval_loss REAL,
        learning_rate REAL,
        grad_norm REAL,
        PRIMARY KEY (attempt_id, step)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE llm_calls (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        study_id INTEGER REFERENCES studies (id),
        at TEXT NOT NULL,
        prompt_name TEXT NOT NULL,
        prompt_sha256 TEXT NOT NULL,
        text TEXT NOT NULL,
        reply TEXT,
        model TEXT NOT NULL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        cost_usd REAL,
        seconds REAL NOT NULL,
        error TEXT
    ) STRICT
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        study_id INTEGER NOT NULL REFERENCES studies (id),
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        trial_id TEXT REFERENCES trials (id),
        data TEXT NOT NULL CHECK (json_valid(data))
    ) STRICT
    """,
    "CREATE INDEX events_of_study ON events (study_id, kind, seq)",
    """
    CREATE TABLE artifacts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        study_id INTEGER NOT NULL REFERENCES studies (id),
        trial_id TEXT REFERENCES trials (id),
        kind TEXT NOT NULL,
        path TEXT NOT NULL,
        sha256 TEXT,
        created_at TEXT NOT NULL,
        UNIQUE (study_id, kind, path)
    ) STRICT
    """,
    """
    CREATE TABLE ledger (
        study_id INTEGER NOT NULL REFERENCES studies (id),
        account TEXT NOT NULL CHECK (account IN ('wall_seconds', 'llm_tokens', 'llm_usd')),
        entry TEXT NOT NULL,
        reserved REAL NOT NULL,
        used REAL,
        at TEXT NOT NULL,
        PRIMARY KEY (study_id, account, entry)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE test_openings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        study_id INTEGER NOT NULL REFERENCES studies (id),
        at TEXT NOT NULL,
        trial_ids TEXT NOT NULL CHECK (json_valid(trial_ids)),
        results TEXT CHECK (results IS NULL OR json_valid(results))
    ) STRICT
    """,
)

STEPS = {
    "m001_first_schema": FIRST_SCHEMA,
    "m002_rung_of_pruned_trials": (  # where it was stopped; its `score` is the validation loss there
        "ALTER TABLE trials ADD COLUMN rung TEXT"
        " CHECK ((rung IS NOT NULL) = (state = 'PRUNED') AND (rung IS NULL OR json_valid(rung)))",
    ),
    "m003_desk": DESK_SCHEMA,
}
"""All steps of this version, in order; a database that holds others was written by a newer one."""


def _carry_out(statements: tuple[str, ...], db: Any) -> None:
    for statement in statements:
        db.execute(statement)


MIGRATIONS = Migrations("tunewright")
for _name, _statements in STEPS.items():
    MIGRATIONS(name=_name)(partial(_carry_out, _statements))
