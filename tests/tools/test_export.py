"""Handing an adapter over: what is refused before anything is written."""

import pytest

from tools.export import export
from trainers.errors import InputError


@pytest.fixture
def adapter(tmp_path):
    """A directory that looks like a saved adapter."""
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "MANIFEST.json").write_text("{}")
    return tmp_path / "adapter"


def test_plain_export_is_a_copy(adapter, tmp_path):
    """Every file is there, and nothing was merged."""
    done = export(adapter, tmp_path / "new", merge=False)
    assert (tmp_path / "new" / "MANIFEST.json").read_text() == "{}"
    assert (done.merged, done.max_logit_difference) == (False, None)


def test_existing_file_or_full_directory_is_not_overwritten(adapter, tmp_path):
    """Whatever stands at the destination stays."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="new or empty directory"):
        export(adapter, tmp_path / "file", merge=False)
    with pytest.raises(InputError, match="new or empty directory"):
        export(adapter, adapter, merge=False)
    assert (tmp_path / "file").read_text() == "mine"


def test_other_directory_is_no_adapter(tmp_path):
    """Only what a study saved can be exported."""
    with pytest.raises(InputError, match=r"MANIFEST\.json"):
        export(tmp_path, tmp_path / "new", merge=False)
