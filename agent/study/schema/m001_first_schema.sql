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
) STRICT;

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
) STRICT;

CREATE TRIGGER trials_move_forward BEFORE UPDATE OF state ON trials
WHEN NOT (
    (OLD.state = 'WAITING' AND NEW.state = 'RUNNING')
    OR (OLD.state = 'RUNNING' AND NEW.state IN ('WAITING', 'COMPLETE', 'PRUNED', 'FAILED')))
BEGIN SELECT RAISE(ABORT, 'a trial cannot change its state this way'); END;

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
) STRICT;

CREATE TABLE metrics (
    attempt_id TEXT NOT NULL REFERENCES attempts (id),
    step INTEGER NOT NULL,
    loss REAL,
    eval_loss REAL,
    learning_rate REAL,
    grad_norm REAL,
    PRIMARY KEY (attempt_id, step)
) STRICT, WITHOUT ROWID;

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
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL REFERENCES studies (id),
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    trial_id TEXT REFERENCES trials (id),
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX events_of_study ON events (study_id, kind, seq);

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL REFERENCES studies (id),
    trial_id TEXT REFERENCES trials (id),
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (study_id, kind, path)
) STRICT;

CREATE TABLE ledger (
    study_id INTEGER NOT NULL REFERENCES studies (id),
    account TEXT NOT NULL CHECK (account IN ('wall_seconds', 'llm_tokens', 'llm_usd')),
    entry TEXT NOT NULL,
    reserved REAL NOT NULL,
    used REAL,
    at TEXT NOT NULL,
    PRIMARY KEY (study_id, account, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE test_openings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL REFERENCES studies (id),
    at TEXT NOT NULL,
    trial_ids TEXT NOT NULL CHECK (json_valid(trial_ids)),
    results TEXT CHECK (results IS NULL OR json_valid(results))
) STRICT;
