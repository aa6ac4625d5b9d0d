"""What is known about a study's data before any training: the nouns that `tools/data/profile_data.py` fills."""

from pydantic import Field

from trainers.spec import Closed, Columns, Task


class SourceProfile(Closed):
    """One file or hub data set as it was read."""

    name: str = Field(description="as the user gave it")
    path: str = Field(description="resolved absolute path, or hub id, or stdlib: name")
    revision: str | None = None
    format: str = Field(description="csv, tsv, json, jsonl, parquet, hub, stdlib")
    sha256: str = Field(description="of the file's bytes, or of the canonical rows where there is no file")
    n_rows: int
    columns: tuple[str, ...]


class LengthProfile(Closed):
    """Token lengths of whole training examples."""

    tokenizer: str
    p50: int
    p90: int
    p99: int
    p995: int
    max: int
    max_seq_length: int = Field(description="the length chosen for this study")
    truncated_share: float = Field(description="share of training rows longer than max_seq_length")


class DuplicateProfile(Closed):
    """Duplicates found and what was done about them. Only training rows are ever removed."""

    exact_within_train: int = 0
    near_within_train: int = 0
    train_rows_also_in_validation: int = 0
    train_rows_also_in_test: int = 0
    longest_shared_span: int = Field(0, description="words of the longest run a removed train row shared with test")
    removed_from_train: int = 0


class SplitProfile(Closed):
    """How many rows each split has, and how it came about."""

    train: int
    validation: int
    test: int
    how: str = Field(description="given by the user, or cut: stratified, seeded, ratios")
    train_sha256: str
    validation_sha256: str
    test_sha256: str = Field(description="of the sealed test rows; checked when they are opened")


class DataProfile(Closed):
    """Everything the planner may know of the data: counts and evidence, no rows."""

    task: Task
    sources: tuple[SourceProfile, ...]
    columns: Columns
    column_evidence: dict[str, str] = Field({}, description="column role to why it was taken for it")
    labels: tuple[str, ...] = ()
    label_counts: dict[str, int] = Field({}, description="rows of each class in train")
    class_weights: tuple[float, ...] = Field((), description="set where the largest class has over 5x the smallest")
    lengths: LengthProfile
    duplicates: DuplicateProfile = DuplicateProfile()
    splits: SplitProfile
    special_token_rows: int = Field(0, description="rows whose text holds the tokenizer's control tokens (escaped)")
    notes: tuple[str, ...] = ()
