"""Data sets from the Hugging Face hub: pinned to a commit, without running anyone's loading script."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tools.data.load_json import SPLIT_NAMES
from tools.data.table import MAX_ROWS, Parsed, Row, Table, checked, columns_of, table_of
from trainers.errors import InputError

HUB_TIMEOUT_SECONDS = 15.0


def load_hub(name: str, param: str) -> Table:
    """The splits of a hub data set; `rows` are its train split (or its only one). InputError names id and reason.

    The revision is the commit the hub names now; without a connection what the local cache has is used. Class
    indices become class names. Cost: a download, and the import of `datasets` (about 2 s).
    """
    import datasets

    revision = _revision(name, param)
    datasets.disable_progress_bars()
    try:
        with contextlib.nullcontext() if revision else _cache_only():
            data_set = datasets.load_dataset(name, revision=revision)
    except Exception as error:  # of the hub, of the transport (httpx, httpx2, requests) and of every file format
        reason = str(error).strip().split("\n")[0][:300].rstrip(".") or type(error).__name__
        raise _unavailable(name, param, reason) from error
    return hub_table(data_set, name, revision, param)


def hub_table(data_set: Any, name: str, revision: str | None, param: str) -> Table:
    """The table of a loaded data set: images and audio left out, class indices as class names, splits by our names."""
    by_split = {SPLIT_NAMES.get(split, split): part for split, part in data_set.items()}
    train = by_split.pop("train") if "train" in by_split else by_split.pop(next(iter(by_split)))
    splits = {s: _rows(part, name, param) for s, part in by_split.items() if s in SPLIT_NAMES}
    rows = _rows(train, name, param)
    clean = checked(Parsed(columns_of(rows), rows, splits), param)
    if not revision:
        unpinned = f"{name}: the hub was not reached; its commit is unknown, the cached copy is used"
        clean = replace(clean, notes=(*clean.notes, unpinned))
    return table_of(name, name, "hub", clean, revision=revision)


def _revision(name: str, param: str) -> str | None:
    """The commit the hub names for this data set; None without a connection."""
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        sha: str | None = huggingface_hub.HfApi().dataset_info(name, timeout=HUB_TIMEOUT_SECONDS).sha
    except GatedRepoError as error:
        rule = f"the hub data set {name!r} is gated and this account has no access."
        hint = f"Accept its terms on https://huggingface.co/datasets/{name} and set HF_TOKEN."
        raise InputError(param, rule, hint, code="gated") from error
    except RepositoryNotFoundError as error:
        raise _unavailable(name, param, "the hub has no such data set, or it is private") from error
    except Exception:  # no connection; the transport's errors differ between versions. Loading says what is wrong.
        return None
    return sha


@contextlib.contextmanager
def _cache_only() -> Iterator[None]:
    """The hub is known to be out of reach: `datasets` goes to its cache at once instead of retrying for 25 s."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _rows(part: Any, name: str, param: str) -> list[Row]:
    import datasets

    if len(part) > MAX_ROWS:
        rule = f"at most {MAX_ROWS:,} rows; {name} has {len(part):,}."
        raise InputError(param, rule, "Save a sample of it as parquet and give that file.")
    media = (datasets.Image, datasets.Audio, datasets.Video)
    columns = [column for column, feature in part.features.items() if not isinstance(feature, media)]
    rows: list[Row] = part.select_columns(columns).to_list()
    for column, feature in part.features.items():
        if isinstance(feature, datasets.ClassLabel):
            for row in rows:
                index = row[column]
                row[column] = feature.names[index] if isinstance(index, int) and index >= 0 else None
    return rows


def _unavailable(name: str, param: str, reason: str) -> InputError:
    hint = "Check the id and the connection (HF_TOKEN for private ones), or download it and give a local file."
    return InputError(param, f"the hub data set {name!r} cannot be loaded: {reason}.", hint, code="hub_unavailable")
