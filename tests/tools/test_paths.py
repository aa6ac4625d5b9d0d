"""Paths from outside stay inside the allowed roots, however they are written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.paths import UnsafePath, confined, is_hub_id


@pytest.mark.parametrize(
    "given_path",
    [
        "../outside.csv",
        "data/../../outside.csv",
        "/etc/passwd",
        "~root/.bashrc",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "http://example.com/a.csv",
        "C:\\data\\a.csv",
        "c:a.csv",
        "\\\\server\\share\\a.csv",
        "//server/share/a.csv",
        "..\\..\\a.csv",
        "a\0.csv",
        "a\n.csv",
        "a\x7f.csv",
        "a\u202ecsv.exe",
        "a\ud800.csv",
        "",
        "   ",
        "x" * 5000,
        ".ssh/id_rsa",
        "sub/.aws/credentials",
    ],
)
def test_unsafe_spellings_are_refused(tmp_path: Path, given_path: str) -> None:
    """Anything outside the roots, or written to hide where it leads, is an UnsafePath with the parameter's name."""
    with pytest.raises(UnsafePath) as caught:
        confined("data.train", given_path, (tmp_path,))
    assert (caught.value.code, caught.value.param, caught.value.exit_code) == ("unsafe_path", "data.train", 2)


def test_symlink_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    """A link inside a root is followed before it is judged."""
    root, outside = tmp_path / "root", tmp_path / "outside.csv"
    root.mkdir()
    outside.write_text("text,label\n")
    (root / "link.csv").symlink_to(outside)
    with pytest.raises(UnsafePath, match=r"outside\.csv"):
        confined("data.train", "link.csv", (root,))


def test_symlink_loop_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is refused, with no crash."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    try:
        resolved = confined("data.train", "a/x.csv", (tmp_path,))
    except UnsafePath:
        return
    assert resolved.is_relative_to(tmp_path)
    assert not resolved.exists()


def test_sibling_with_the_roots_name_as_prefix_is_outside(tmp_path: Path) -> None:
    """/srv/data2 is not inside /srv/data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data2").mkdir()
    with pytest.raises(UnsafePath):
        confined("data.train", str(tmp_path / "data2" / "a.csv"), (tmp_path / "data",))


def test_relative_paths_start_at_the_first_root_and_absolute_ones_may_lie_in_any(tmp_path: Path) -> None:
    """Both spellings of a file inside the roots give its resolved path."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert confined("data.train", "sub/a b.csv", (first, second)) == first.resolve() / "sub" / "a b.csv"
    assert confined("data.train", str(second / "ä.csv"), (first, second)) == second.resolve() / "ä.csv"


@given(st.lists(st.sampled_from(["..", ".", "a", "etc", "", "~", "sub"]), max_size=8))
def test_whatever_is_accepted_lies_inside_the_root(parts: list[str]) -> None:
    """No mixture of components leads out of the root."""
    root = Path("/nonexistent/root")
    try:
        path = confined("data.train", "/".join(parts), (root,))
    except UnsafePath:
        return
    assert path.is_relative_to(root)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("imdb", True),
        ("stanfordnlp/imdb", True),
        ("Qwen/Qwen3-0.6B", True),
        ("a/b/c", False),
        ("../imdb", False),
        ("a..b", False),
        ("-imdb", False),
        ("/imdb", False),
        ("imdb/", False),
        ("imdb\n", False),
        ("", False),
        ("x" * 97, False),
    ],
)
def test_hub_ids_have_one_form(name: str, expected: bool) -> None:
    """`name` or `owner/name`, letters, digits, dots, underscores and hyphens."""
    assert is_hub_id(name) is expected
