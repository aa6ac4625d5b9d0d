"""What the desk keeps, as rows: plans that wait, the queue, submissions, uploads, conversations. Part of `Store`."""

import json
from typing import Any, Literal

from pydantic import Field

from agent.errors import InputError
from agent.request.draft import Draft, Overrides
from agent.request.plan import Plan
from agent.study.rows import Rows, now
from trainers.spec import Closed

Role = Literal["user", "assistant", "tool"]


class StoredPlan(Closed):
    """A plan that was shown, with what it was made from, so that approving it can make it again and compare."""

    plan_hash: str
    at: str
    request: str
    llm: str
    draft: Draft
    overrides: Overrides
    plan: Plan
    llm_call_ids: tuple[int, ...] = ()
    edited: bool = Field(False, description="its draft is not that of `request` alone")


class Queued(Closed):
    """A study that is to be worked off."""

    study_id: str
    position: int = Field(description="increases with every study queued; the lowest is next")
    queued_at: str
    paused: bool
    starts: int = Field(description="how often a process has taken it up since it was queued")


class Submission(Closed):
    """Where a study came from."""

    study_id: str
    at: str
    face: str = Field(description="cli, chat, http, openai, mcp, web or python")
    key: str | None = Field(description="idempotency key")
    plan_hash: str
    job: dict[str, Any] | None = Field(None, description="what the job API was asked, to be told again")


class StoredFile(Closed):
    """An uploaded file."""

    file_id: str
    at: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    path: str


class ConversationRow(Closed):
    """A conversation in the list of conversations."""

    conversation_id: str
    started_at: str
    title: str
    llm: str
    turns: int


class Turn(Closed):
    """One utterance, or one tool call with its result (`data`)."""

    turn_id: int
    at: str
    role: Role
    text: str
    data: dict[str, Any] = {}


SUBMISSIONS = "SELECT CAST(study_id AS TEXT) AS study_id, at, face, key, plan_hash, job FROM submissions"
FILES = "SELECT id AS file_id, at, filename, purpose, bytes, sha256, path FROM files"


class DeskRows(Rows):
    """Writes are one transaction each; callers put several into one `tx()`."""

    def keep_plan(self, plan: StoredPlan) -> None:
        """Keep a plan until it is approved; the same plan made again takes the place of the earlier one."""
        parts = (part.model_dump_json() for part in (plan.draft, plan.overrides, plan.plan))
        values = (plan.plan_hash, plan.at, plan.request, plan.llm, *parts, json.dumps(plan.llm_call_ids), plan.edited)
        self.write("INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def kept_plan(self, plan_hash: str) -> StoredPlan:
        """The plan with this hash, or with this prefix of 8 characters or more. Raises InputError without one."""
        prefix = plan_hash.removeprefix("sha256:").lower()
        sql = "SELECT * FROM plans WHERE substr(plan_hash, 1, ?) = ?"
        plans = self.models(StoredPlan, sql, (len(prefix), prefix), json_in="draft overrides plan llm_call_ids")
        if len(prefix) < 8 or len(plans) != 1:
            rule = f"no plan {plan_hash!r} was made here."
            raise InputError("plan_hash", rule, "Make the plan first; it tells its hash.", code="not_found")
        return plans[0]

    def give_llm_calls(self, study_id: str, call_ids: tuple[int, ...]) -> None:
        """LLM calls made while planning become those of the study that came of it."""
        with self.tx():
            for call_id in call_ids:
                self.write("UPDATE llm_calls SET study_id = ? WHERE id = ? AND study_id IS NULL", (study_id, call_id))

    def enqueue(self, study_id: str) -> None:
        """Have a study worked off: at the end of the queue, or where it stands already; no longer paused."""
        self.write(
            "INSERT INTO queue (study_id, queued_at) VALUES (?, ?)"
            " ON CONFLICT (study_id) DO UPDATE SET paused = 0, starts = 0",
            (study_id, now()),
        )

    def pause(self, study_id: str) -> None:
        """Keep a study's place in the queue, but do not take it up."""
        self.write("UPDATE queue SET paused = 1 WHERE study_id = ?", (study_id,))

    def dequeue(self, study_id: str) -> None:
        """Take a study off the queue; nothing where it is not on it."""
        self.write("DELETE FROM queue WHERE study_id = ?", (study_id,))

    def take_next(self) -> str | None:
        """The first study of the queue that is not paused, its `starts` counted up; None where there is none."""
        with self.tx():
            rows = self.query("SELECT study_id FROM queue WHERE NOT paused ORDER BY position LIMIT 1")
            if not rows:
                return None
            self.write("UPDATE queue SET starts = starts + 1 WHERE study_id = ?", (rows[0]["study_id"],))
        return str(rows[0]["study_id"])

    def queue(self) -> list[Queued]:
        """The queue, next first."""
        columns = "CAST(study_id AS TEXT) AS study_id, position, queued_at, paused, starts"
        return self.models(Queued, f"SELECT {columns} FROM queue ORDER BY position")  # noqa: S608

    def state_counts(self, table: Literal["studies", "trials"]) -> dict[str, int]:
        """State to number of studies, or of trials of all studies."""
        rows = self.query(f"SELECT state, count(*) AS n FROM {table} GROUP BY state ORDER BY state")  # noqa: S608
        return {row["state"]: row["n"] for row in rows}

    def study_ids(self) -> list[str]:
        """The ids of all studies, oldest first."""
        return [str(row["id"]) for row in self.query("SELECT id FROM studies ORDER BY id")]

    def trained_tokens(self, study_id: str) -> int | None:
        """Tokens that the complete trials of a study were trained on; None before the first."""
        sql = (
            "SELECT sum(json_extract(result, '$.tokens_per_second') * json_extract(result, '$.train_seconds')) AS n"
            " FROM trials WHERE study_id = ? AND result IS NOT NULL"
        )
        tokens = self.query(sql, (study_id,))[0]["n"]
        return None if tokens is None else round(tokens)

    def finish_times(self, study_id: str) -> dict[int, str]:
        """Trial number to when its last attempt ended, for trials that have ended."""
        rows = self.query(
            "SELECT trials.number AS number, max(attempts.finished_at) AS at FROM trials JOIN attempts"
            " ON attempts.trial_id = trials.id WHERE study_id = ? AND finished_at IS NOT NULL GROUP BY trials.id",
            (study_id,),
        )
        return {row["number"]: row["at"] for row in rows}

    def record_submission(
        self, study_id: str, face: str, plan_hash: str, key: str | None, job: dict[str, Any] | None
    ) -> None:
        """Note where a study came from. Raises StoreConflict where the key is another study's."""
        self.write(
            "INSERT INTO submissions (study_id, at, face, key, plan_hash, job) VALUES (?, ?, ?, ?, ?, ?)",
            (study_id, now(), face, key, plan_hash, None if job is None else json.dumps(job, allow_nan=False)),
        )

    def submission(self, *, study_id: str | None = None, key: str | None = None) -> Submission | None:
        """The submission of a study, or with an idempotency key."""
        sql, values = f"{SUBMISSIONS} WHERE submissions.study_id = ? OR key = ?", (study_id and int(study_id), key)
        return next(iter(self.models(Submission, sql, values, json_in="job")), None)

    def submissions(self) -> list[Submission]:
        """All of them, oldest first."""
        return self.models(Submission, f"{SUBMISSIONS} ORDER BY submissions.study_id", json_in="job")

    def add_file(self, file: StoredFile) -> None:
        """Note an uploaded file that is complete on disk."""
        self.write("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(file.model_dump().values()))

    def files(self) -> list[StoredFile]:
        """All uploaded files, newest first."""
        return self.models(StoredFile, f"{FILES} ORDER BY at DESC, id")

    def file(self, file_id: str) -> StoredFile:
        """One uploaded file. Raises InputError without one of that id."""
        files = self.models(StoredFile, f"{FILES} WHERE id = ?", (file_id,))
        if not files:
            raise InputError("file", f"no file {file_id!r}.", "Upload it, or list the files.", code="not_found")
        return files[0]

    def forget_file(self, file_id: str) -> None:
        """Take a file off the list; its bytes are the caller's to remove."""
        self.write("DELETE FROM files WHERE id = ?", (file_id,))

    def start_conversation(self, title: str, llm: str) -> str:
        """A new conversation's id."""
        sql = "INSERT INTO conversations (started_at, title, llm) VALUES (?, ?, ?)"
        return str(self.write(sql, (now(), title, llm)).lastrowid)

    def name_conversation(self, conversation_id: str, title: str) -> None:
        """Give a conversation a title, such as its first words."""
        self.write("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation_id))

    def conversations(self) -> list[ConversationRow]:
        """All conversations, newest first."""
        return self.models(
            ConversationRow,
            "SELECT CAST(id AS TEXT) AS conversation_id, started_at, title, llm,"
            " (SELECT count(*) FROM turns WHERE conversation_id = conversations.id) AS turns"
            " FROM conversations ORDER BY id DESC",
        )

    def add_turn(self, conversation_id: str, role: Role, text: str, data: dict[str, Any] | None = None) -> Turn:
        """Store an utterance or a tool call."""
        at, data = now(), data or {}
        sql = "INSERT INTO turns (conversation_id, at, role, text, data) VALUES (?, ?, ?, ?, ?)"
        row = self.write(sql, (conversation_id, at, role, text, json.dumps(data, allow_nan=False)))
        return Turn(turn_id=row.lastrowid, at=at, role=role, text=text, data=data)

    def turns(self, conversation_id: str) -> list[Turn]:
        """The turns of a conversation, in order."""
        sql = "SELECT id AS turn_id, at, role, text, data FROM turns WHERE conversation_id = ? ORDER BY id"
        return self.models(Turn, sql, (int(conversation_id),), json_in="data")
