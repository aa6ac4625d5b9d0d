"""Writing the splits: complete or not at all, sealed test rows, and nothing that differs from the plan."""

import dataclasses
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tools.data.prepare_data import is_intact, prepare
from tools.data.profile_data import Profiled, profile
from tools.data.table import canonical_jsonl
from trainers.errors import InputError
from trainers.spec import Constraints, Data


@pytest.fixture
def profiled(tmp_path: Path) -> Profiled:
    """A small classification set, cut."""
    rows = [{"text": f"number {i} of many different texts", "label": "ab"[i % 2]} for i in range(60)]
    (tmp_path / "a.jsonl").write_bytes(canonical_jsonl(rows))
    return profile(
        Data(train="a.jsonl"),
        None,
        roots=(tmp_path,),
        tokenizer_file=None,
        tokenizer_name="none",
        max_positions=None,
        constraints=Constraints(),
        seed=0,
    )


def test_files_match_the_profile_and_test_is_sealed(tmp_path: Path, profiled: Profiled) -> None:
    """Each file has the sha256 of the plan; the test rows are readable by their owner only."""
    files = prepare(profiled, tmp_path / "study")
    assert is_intact(files.train_file, profiled.profile.splits.train_sha256)
    assert is_intact(files.validation_file, profiled.profile.splits.validation_sha256)
    assert is_intact(files.test_file, profiled.profile.splits.test_sha256)
    assert stat.S_IMODE(files.test_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.test_file.parent.stat().st_mode) == 0o700
    assert sorted(p.name for p in (tmp_path / "study").rglob("*")) == [
        "sealed",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_second_call_writes_nothing(tmp_path: Path, profiled: Profiled) -> None:
    """Intact files keep their inode; a damaged one is written again."""
    files = prepare(profiled, tmp_path / "study")
    before = files.train_file.stat().st_ino
    files.test_file.write_text("torn")
    assert prepare(profiled, tmp_path / "study") == files
    assert files.train_file.stat().st_ino == before
    assert is_intact(files.test_file, profiled.profile.splits.test_sha256)


def test_other_rows_than_the_plans_are_refused(tmp_path: Path, profiled: Profiled) -> None:
    """Data that changed after the plan was approved is not used."""
    changed = dataclasses.replace(profiled, rows={**profiled.rows, "train": profiled.rows["train"][1:]})
    with pytest.raises(InputError, match="sha256 differs") as caught:
        prepare(changed, tmp_path / "study")
    assert caught.value.code == "data_changed"
    assert not (tmp_path / "study" / "train.jsonl").exists()


def test_missing_file_is_not_intact(tmp_path: Path) -> None:
    """Asking is safe before anything is written."""
    assert not is_intact(tmp_path / "none", "0" * 64)


def test_full_disk_is_said_and_leaves_no_partial_file(tmp_path: Path) -> None:
    """A file that cannot be completed is not there at all, nor its temporary one."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from tools.data.prepare_data import prepare; from tools.data.profile_data import profile\n"
        "from trainers.errors import InputError; from trainers.spec import Constraints, Data\n"
        "found = profile(Data(train='stdlib:docstrings@300'), None, roots=(Path(sys.argv[1]),), tokenizer_file=None,\n"
        "    tokenizer_name='x', max_positions=None, constraints=Constraints(), seed=0)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: prepare(found, Path(sys.argv[1]) / 'study')\n"
        "except InputError as error: print(error.code, error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("disk_full output: the splits must fit on the disk"), done.stderr
    assert [p for p in (tmp_path / "study").rglob("*") if p.is_file()] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_directory_is_said(tmp_path: Path, profiled: Profiled) -> None:
    """The next step is named."""
    (tmp_path / "study").mkdir(mode=0o500)
    with pytest.raises(InputError, match="must be writable"):
        prepare(profiled, tmp_path / "study")


def test_directory_that_is_a_file_is_said(tmp_path: Path, profiled: Profiled) -> None:
    """The study's place is taken by something else."""
    (tmp_path / "study").write_text("")
    with pytest.raises(InputError, match="must be writable") as caught:
        prepare(profiled, tmp_path / "study")
    assert caught.value.code == "unwritable"


def test_a_row_is_one_line_for_every_kind_of_reader() -> None:
    """Line ends of Unicode inside texts stay inside them, and are read back as they were."""
    ends = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    rows = [{"text": f"before{end}after", "label": "a"} for end in ends]
    lines = canonical_jsonl(rows).decode().splitlines()
    assert [json.loads(line) for line in lines] == rows
