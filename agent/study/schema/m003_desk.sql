ALTER TABLE studies ADD COLUMN cwd TEXT;

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
) STRICT;

CREATE TABLE queue (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL UNIQUE REFERENCES studies (id),
    queued_at TEXT NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    starts INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE submissions (
    study_id INTEGER PRIMARY KEY REFERENCES studies (id),
    at TEXT NOT NULL,
    face TEXT NOT NULL,
    key TEXT UNIQUE,
    plan_hash TEXT NOT NULL,
    job TEXT CHECK (job IS NULL OR json_valid(job))
) STRICT;

CREATE TABLE files (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    path TEXT NOT NULL
) STRICT;

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at TEXT NOT NULL,
    title TEXT NOT NULL,
    llm TEXT NOT NULL
) STRICT;

CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    at TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
    text TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX turns_of_conversation ON turns (conversation_id, id);
