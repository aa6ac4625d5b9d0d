"""Tables from files: what is read, and what each kind of bad input is told."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.data.decode_text import decode
from tools.data.load_csv import parse_csv
from tools.data.load_data import load_table
from tools.data.load_hub import hub_table
from tools.data.load_json import parse_jsonl
from tools.data.table import MAX_CELL_CHARS, Table, canonical_jsonl
from trainers.errors import InputError

ROWS = [{"text": "good film", "label": "pos"}, {"text": 'he said "no", twice', "label": "neg"}]
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(path: Path) -> Table:
    return load_table(path.name, "data.train", (path.parent,))


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.param == "data.train"
    assert caught.value.hint
    return caught.value


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv(ROWS)),
        ("semicolon.csv", as_csv(ROWS, ";")),
        ("pipe.csv", as_csv(ROWS, "|")),
        ("a.tsv", as_csv(ROWS, "\t")),
        ("bom.csv", "\ufeff" + as_csv(ROWS)),
        ("utf16.csv", as_csv(ROWS).encode("utf-16")),
        ("utf16le.csv", as_csv(ROWS).encode("utf-16-le")),
        ("a.json", json.dumps(ROWS)),
        ("pretty.json", json.dumps({"version": 1, "data": ROWS}, indent=1)),
        ("columns.json", json.dumps({k: [r[k] for r in ROWS] for k in ROWS[0]})),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.ndjson", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
        ("lines.json", "\n".join(map(json.dumps, ROWS))),
        ("array.jsonl", json.dumps(ROWS)),
        (
            "snips.json",
            json.dumps({r["label"]: [{"data": [{"text": r["text"][:3]}, {"text": r["text"][3:]}]}] for r in ROWS}),
        ),
    ],
)
def test_every_text_format_gives_the_same_rows(tmp_path: Path, name: str, content: str | bytes) -> None:
    """csv with several separators and encodings, JSON in its shapes, and JSON lines."""
    table = load(written(tmp_path / name, content))
    assert table.rows == ROWS
    assert table.columns == ("text", "label")
    assert table.source.n_rows == 2


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    """Parquet cells keep their types."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{**r, "stars": 3} for r in ROWS]), tmp_path / "a.parquet")
    table = load(tmp_path / "a.parquet")
    assert (table.rows[0], table.source.format) == ({**ROWS[0], "stars": 3}, "parquet")


def test_western_european_text_is_read_with_a_note(tmp_path: Path) -> None:
    """A latin-1 file is read, and the note names encoding and first byte."""
    text = "text,label\nla musique française est très belle ici,pos\nun café près de la gare,neg\n"
    table = load(written(tmp_path / "a.csv", text.encode("latin-1")))
    assert table.rows[0]["text"] == "la musique française est très belle ici"
    assert "not UTF-8 (byte 0xe7 on line 2): read as cp1252" in table.notes[0]


def test_surrogate_pairs_in_utf8_are_joined() -> None:
    """CESU-8, as some Java programs write it, gives the character that was meant."""
    broken = "é \U0001f600".encode("utf-16-be")
    raw = "é ".encode() + b"".join(
        chr(int.from_bytes(broken[i : i + 2], "big")).encode("utf-8", "surrogatepass") for i in (4, 6)
    )
    text, notes = decode(raw, "a.csv", "data.train")
    assert text == "é \U0001f600"
    assert "CESU-8" in notes[0]


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_any_text_survives_csv(rows: list[tuple[str, str]]) -> None:
    """What the csv module writes comes back, whatever the cells hold; a row of blanks only is left out."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("text", "label"))
    writer.writerows(rows)
    raw = out.getvalue().encode()
    parsed = parse_csv(raw.decode(), "a.csv", "data.train")
    assert [(r["text"], r["label"]) for r in parsed.rows] == [row for row in rows if any(c.strip() for c in row)]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.none() | st.integers(), min_size=1), min_size=1))
def test_any_row_survives_canonical_json_lines(rows: list[dict[str, object]]) -> None:
    """Canonical rows are read back as they were written; U+2028 and the like end no line."""
    assert parse_jsonl(canonical_jsonl(rows).decode(), "a.jsonl", "data.train").rows == rows


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """No content of a file ends in anything but text or an InputError."""
    try:
        text, _ = decode(raw, "a.csv", "data.train")
        parse_csv(text, "a.csv", "data.train")
    except InputError:
        return


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("empty.csv", b"", "empty_file", "0 bytes"),
        ("blank.jsonl", b" \n\n", "empty_file", "white space"),
        ("header.csv", b"text,label\n", "bad_input", "no rows"),
        ("list.json", b"[]", "empty_file", "empty list"),
        ("a.csv", bytes(range(256)) * 20, "binary", "binary"),
        ("zip.csv", b"PK\x03\x04" + b"0" * 100, "binary", "zip"),
        ("gz.jsonl", gzip.compress(b"{}", mtime=0), "binary", "gzip"),
        ("lfs.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "binary", "LFS"),
        ("page.csv", b"<!DOCTYPE html><html></html>", "unknown_format", "web page"),
        ("json.csv", b'{"text": "a", "label": "b"}\n', "unknown_format", "JSON"),
        ("sjis.csv", "text,label\nこれは文章です,正\n".encode("shift-jis"), "encoding", "UTF-8"),
        ("cp1251.csv", "text,label\nэто очень хороший фильм,да\n".encode("cp1251"), "encoding", "UTF-8"),
        ("cut.csv", "text,label\nпривет,да\n".encode()[:-4] + b"\xff,a\n", "encoding", "line 2"),
        ("utf16.csv", b"\xff\xfeab\x00", "encoding", "utf-16"),
        ("line.jsonl", b'{"a": 1}\n{"a": 2\n{"a": 3}\n', "broken_jsonl", "line 2"),
        ("scalar.jsonl", b'{"a": 1}\n\n[1]\n', "broken_jsonl", "line 3 holds an array"),
        ("deep.json", b"[" * 100_000, "broken_json", "nested too deeply"),
        ("bad.json", b'[{"a": 1},\n {"a" 2}]', "broken_json", "line 2"),
        ("number.json", b"3", "broken_json", "a number"),
        ("two.json", b'{"a": [1], "b": [1, 2]}', "broken_json", "2 lists"),
        ("item.json", b'[{"a": 1}, 3]', "broken_json", "row 2"),
        ("ragged.csv", b"text,label\na,b\n\na,b,c\n", "ragged", "line 4 has 3"),
        ("quote.csv", b'text,label\na,b\n"never closed,b\nc,d\n', "broken_csv", "line 3"),
        ("noheader.csv", b"how do I pay?,cards\nwhere is it?,cards\nlost it,cards\n", "no_header", "comes again"),
        ("sentence.csv", b"this is the first text of them all,1\nanother one,2\n", "no_header", "sentence"),
        ("twice.csv", b"text,label,text\na,b,c\n", "no_header", "twice"),
        ("torn.parquet", b"PAR1 and nothing else", "bad_input", "parquet"),
        ("notes.txt", b"text\n", "unknown_format", ".txt"),
        ("model", b"text\n", "unknown_format", "'none'"),
    ],
)
def test_bad_files_are_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, code: str, words: str
) -> None:
    """Each kind of unusable file has its message, which names the value or the place."""
    error = refused(written(tmp_path / name, content))
    assert error.code == code
    assert words in str(error)


def test_missing_file_names_its_neighbours_and_takes_none(tmp_path: Path) -> None:
    """A misspelt name is offered the near one; it is not replaced by it."""
    written(tmp_path / "reviews.csv", as_csv(ROWS))
    error = refused(tmp_path / "review.csv")
    assert error.code == "missing_file"
    assert "reviews.csv" in error.hint


def test_missing_file_without_a_near_name_lists_the_data_files(tmp_path: Path) -> None:
    """The next step shows what there is."""
    written(tmp_path / "train.csv", as_csv(ROWS))
    assert "train.csv" in refused(tmp_path / "zzzzzz.jsonl").hint


def test_directory_is_refused_with_its_files(tmp_path: Path) -> None:
    """A directory is not searched; its data files are named."""
    (tmp_path / "set").mkdir()
    written(tmp_path / "set" / "b.csv", as_csv(ROWS))
    error = refused(tmp_path / "set")
    assert "is a directory" in error.rule
    assert "b.csv" in error.hint


def test_fifo_is_refused_without_blocking(tmp_path: Path) -> None:
    """Only regular files are opened."""
    os.mkfifo(tmp_path / "a.csv")
    assert "device, pipe or socket" in refused(tmp_path / "a.csv").rule


def test_sealed_test_rows_are_no_training_data(tmp_path: Path) -> None:
    """The sealed split of a study cannot be named as data."""
    (tmp_path / "sealed").mkdir()
    written(tmp_path / "sealed" / "test.jsonl", json.dumps(ROWS[0]))
    with pytest.raises(InputError, match="sealed"):
        load_table("sealed/test.jsonl", "data.train", (tmp_path,))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_ten_megabyte_cell_is_refused_with_its_row(tmp_path: Path, name: str) -> None:
    """The limit of a cell, the row and the column are named."""
    rows = [ROWS[0], {"text": "x" * 10_000_000, "label": "pos"}]
    content = as_csv(rows) if name.endswith("csv") else "\n".join(map(json.dumps, rows))
    error = refused(written(tmp_path / name, content))
    assert error.code == "cell_too_large"
    assert f"at most {MAX_CELL_CHARS:,} characters; row 2, column 'text' has 10,000,000" in error.rule


def test_unpaired_quotes_in_tab_separated_text_are_plain_characters(tmp_path: Path) -> None:
    """Many tsv files know no quoting; it is noted."""
    table = load(written(tmp_path / "a.tsv", 'text\tlabel\n"so it begins\tpos\nthe end\tneg\n'))
    assert [r["text"] for r in table.rows] == ['"so it begins', "the end"]
    assert "plain characters" in table.notes[0]


def test_lone_surrogates_are_replaced_and_noted(tmp_path: Path) -> None:
    """Half an emoji from JSON would break every later write."""
    table = load(written(tmp_path / "a.jsonl", '{"text": "bad \\ud83d"}\n'))
    assert table.rows == [{"text": "bad \ufffd"}]
    assert "1 cells" in table.notes[0]


def test_named_splits_of_a_json_object_are_kept(tmp_path: Path) -> None:
    """{"train": [...], "dev": [...]} is train with a validation split."""
    table = load(written(tmp_path / "a.json", json.dumps({"train": ROWS, "dev": ROWS[:1]})))
    assert (table.rows, table.splits) == (ROWS, {"validation": ROWS[:1]})


def test_hub_data_sets_give_class_names_and_splits() -> None:
    """Class indices become names, and the splits get our names."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    part = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, -1]}, features=features)
    table = hub_table(datasets.DatasetDict({"train": part, "valid": part}), "owner/name", "abc", "data.train")
    assert table.rows == [{"text": "a", "label": "yes"}, {"text": "b", "label": None}]
    assert list(table.splits) == ["validation"]
    assert table.source.revision == "abc"


def test_hub_id_without_a_connection_is_an_input_error(tmp_path: Path) -> None:
    """Offline, the message has the id, the reason and the next step, at once."""
    code = (
        "import sys; from pathlib import Path; from tools.data.load_data import load_table\n"
        "from trainers.errors import InputError\n"
        "try: load_table('no-owner/no-such-set', 'data.train', (Path(sys.argv[1]),))\n"
        "except InputError as error: print(error.code, error)"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("hub_unavailable data.train: the hub data set 'no-owner/no-such-set'"), done.stderr
    assert "local file" in done.stdout


def test_local_files_need_no_heavy_library(tmp_path: Path) -> None:
    """A plan must be quick: profiling a csv imports neither torch nor transformers, datasets or pandas."""
    written(tmp_path / "a.csv", as_csv([{"text": f"text number {i} of many", "label": "ab"[i % 2]} for i in range(60)]))
    code = (
        "import sys; from pathlib import Path; from tools.data.profile_data import profile\n"
        "from trainers.spec import Constraints, Data\n"
        "profile(Data(train='a.csv'), None, roots=(Path(sys.argv[1]),), tokenizer_file=None, tokenizer_name='x',\n"
        "        max_positions=None, constraints=Constraints(), seed=0)\n"
        "print([m for m in ('torch', 'transformers', 'datasets', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
