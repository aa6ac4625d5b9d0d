"""From named data to checked splits and a profile that fixes them."""

import csv
import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.data.duplicates import THRESHOLD
from tools.data.profile_data import Profiled, profile
from tools.data.table import Row, canonical_jsonl
from tools.data.tasks import TASKS
from trainers.errors import InputError
from trainers.spec import Columns, Constraints, Data, Task

SHARED = Path(__file__).parents[4] / "shared" / "data"
VOCABULARY = [f"word{i}" for i in range(400)]


def texts(n_rows: int, seed: int = 0, n_words: int = 10) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(VOCABULARY, k=n_words)) for _ in range(n_rows)]


def labelled(n_rows: int, seed: int = 0) -> list[Row]:
    return [{"text": text, "label": "abc"[i % 3]} for i, text in enumerate(texts(n_rows, seed))]


def written(path: Path, rows: list[Row]) -> str:
    path.write_bytes(canonical_jsonl(rows))
    return path.name


def profiled(root: Path, task: Task | None = None, seed: int = 0, **data: object) -> Profiled:
    return profile(
        Data.model_validate(data),
        task,
        roots=(root,),
        tokenizer_file=None,
        tokenizer_name="none",
        max_positions=512,
        constraints=Constraints(),
        seed=seed,
    )


def refused(root: Path, **data: object) -> InputError:
    with pytest.raises(InputError) as caught:
        profiled(root, Task.CLASSIFICATION, **data)
    assert caught.value.hint
    return caught.value


def test_profile_describes_the_splits_it_comes_with(tmp_path: Path) -> None:
    """Counts, labels, fingerprints and row form agree with the rows."""
    result = profiled(tmp_path, train=written(tmp_path / "a.jsonl", labelled(200)))
    found = result.profile
    assert (found.task, found.labels, found.class_weights) == (Task.CLASSIFICATION, ("a", "b", "c"), ())
    assert (found.splits.train, found.splits.validation, found.splits.test) == (140, 30, 30)
    assert found.columns == Columns(text="text", label="label")
    assert found.label_counts == Counter(found.labels[int(str(r["label"]))] for r in result.rows["train"])
    assert found.splits.test_sha256 == hashlib.sha256(canonical_jsonl(result.rows["test"])).hexdigest()
    assert found.sources[0].sha256 == hashlib.sha256((tmp_path / "a.jsonl").read_bytes()).hexdigest()
    assert all(set(row) == {"text", "label"} for rows in result.rows.values() for row in rows)


def test_same_data_and_seed_give_the_same_profile(tmp_path: Path) -> None:
    """A plan made twice is the same plan; another seed cuts otherwise."""
    name = written(tmp_path / "a.jsonl", labelled(200))
    assert profiled(tmp_path, train=name) == profiled(tmp_path, train=name)
    assert profiled(tmp_path, train=name).rows["test"] != profiled(tmp_path, train=name, seed=1).rows["test"]


def test_given_splits_are_used_whole(tmp_path: Path) -> None:
    """Rows of given validation and test files are all there, none moved."""
    files = {
        s: written(tmp_path / f"{s}.jsonl", labelled(90, seed=i)) for i, s in enumerate(("train", "validation", "test"))
    }
    result = profiled(tmp_path, **files)
    assert result.profile.splits.how == "given by the user"
    assert {str(r["text"]) for r in result.rows["test"]} == set(texts(90, seed=2))
    assert len(result.profile.sources) == 3


def test_given_test_leaves_validation_to_be_cut(tmp_path: Path) -> None:
    """Only the missing split is cut from train."""
    test = written(tmp_path / "test.jsonl", labelled(60, seed=5))
    result = profiled(tmp_path, train=written(tmp_path / "a.jsonl", labelled(200)), test=test)
    assert (result.profile.splits.validation, result.profile.splits.test) == (30, 60)
    assert result.profile.splits.how.startswith("validation cut from train: stratified by label, seed 0")


def test_contaminated_train_rows_are_removed_and_counted(tmp_path: Path) -> None:
    """Test rows that train holds too, word for word or nearly, are taken out of train; test stays whole."""
    train, test = labelled(200), labelled(100, seed=9)
    train[10]["text"] = test[4]["text"]
    train[20]["text"] = "so then " + str(test[7]["text"])
    train[30] = dict(train[31])
    result = profiled(tmp_path, train=written(tmp_path / "a.jsonl", train), test=written(tmp_path / "test.jsonl", test))
    found = result.profile.duplicates
    assert (found.exact_within_train, found.train_rows_also_in_test, found.longest_shared_span) == (1, 2, 10)
    assert found.removed_from_train == 3
    assert result.profile.splits.test == 100
    assert train[20]["text"] not in {r["text"] for r in result.rows["train"]}


WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=12).map(" ".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from("xy")), min_size=40, max_size=80))
def test_no_removed_row_lacks_a_twin(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    """Every source row is in a split or has a twin there, and no test text is left in train."""
    source: list[Row] = [{"text": text, "label": label} for text, label in pairs]
    try:
        result = profiled(tmp_path, Task.CLASSIFICATION, train=written(tmp_path / "a.jsonl", source))
    except InputError:
        return
    kept: list[Row] = [
        {**r, "label": result.profile.labels[int(str(r["label"]))]} for s in result.rows.values() for r in s
    ]
    left = Counter(map(json.dumps, source)) - Counter(map(json.dumps, kept))
    assert left.total() == result.profile.duplicates.removed_from_train
    everything = [TASKS[Task.CLASSIFICATION].judged_text(row) for row in kept]
    assert all(any(_twins(json.loads(row)["text"], text) for text in everything) for row in left)
    in_train = {r["text"] for r in result.rows["train"]}
    assert in_train.isdisjoint(r["text"] for s in ("validation", "test") for r in result.rows[s])


def _twins(removed: str, kept: str) -> bool:
    a, b = ({tuple(t.split()[k : k + 5]) for k in range(len(t.split()) - 4)} for t in (removed, kept))
    return removed == kept or (len(b) >= 4 and len(a & b) >= THRESHOLD * len(b))


def test_templated_rows_are_kept_and_it_is_said(tmp_path: Path) -> None:
    """Where most rows vary one template, removing near duplicates would leave nothing to train on."""
    rows: list[Row] = [
        {"text": f"tell me please what the weather is going to be like next week in {c}", "label": "ab"[i % 2]}
        for i, c in enumerate(VOCABULARY)
    ]
    result = profiled(tmp_path, train=written(tmp_path / "a.jsonl", rows))
    assert result.profile.splits.train == 280
    assert any("template" in note for note in result.profile.notes)


def test_unbalanced_classes_get_weights_with_mean_one(tmp_path: Path) -> None:
    """More than five times as many rows: inverse frequencies, scaled."""
    rows: list[Row] = [{"text": t, "label": "rare" if i % 10 == 0 else "usual"} for i, t in enumerate(texts(300))]
    found = profiled(tmp_path, train=written(tmp_path / "a.jsonl", rows)).profile
    rare, usual = found.class_weights
    assert rare + usual == pytest.approx(2)
    assert rare / usual == pytest.approx(found.label_counts["usual"] / found.label_counts["rare"], rel=1e-4)


def test_number_labels_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    """Class 10 comes after class 9."""
    rows: list[Row] = [{"text": t, "label": i % 11} for i, t in enumerate(texts(300))]
    found = profiled(tmp_path, train=written(tmp_path / "a.jsonl", rows)).profile
    assert found.labels == tuple(str(i) for i in range(11))


def test_conflicting_labels_are_noted(tmp_path: Path) -> None:
    """The same text under two labels is kept on one side, and said."""
    rows = labelled(200) + [{"text": row["text"], "label": "abc"[(i + 1) % 3]} for i, row in enumerate(labelled(40))]
    result = profiled(tmp_path, train=written(tmp_path / "a.jsonl", rows))
    assert any("more than one label" in note for note in result.profile.notes)
    assert result.profile.duplicates.train_rows_also_in_test == 0


def test_three_rows_are_too_few(tmp_path: Path) -> None:
    """The minimum and the number found are named."""
    error = refused(tmp_path, train=written(tmp_path / "a.jsonl", labelled(3)))
    assert (error.code, error.rule) == ("too_few_rows", "at least 20 rows are needed, got 3 in a.jsonl.")


def test_one_class_is_refused(tmp_path: Path) -> None:
    """There is nothing to tell apart."""
    rows: list[Row] = [{**row, "label": "same"} for row in labelled(50)]
    assert refused(tmp_path, train=written(tmp_path / "a.jsonl", rows)).code == "one_class"


def test_label_column_without_repeats_is_refused_as_such(tmp_path: Path) -> None:
    """A column named as the label whose values all differ is named, not blamed on duplicates."""
    rows: list[Row] = [{"text": text, "label": "ab"[i % 2]} for i, text in enumerate(texts(60))]
    swapped = Columns(text="label", label="text")
    error = refused(tmp_path, train=written(tmp_path / "a.jsonl", rows), columns=swapped)
    assert (error.param, error.code) == ("data.columns.label", "too_many_classes")
    assert "60 different ones" in error.rule


def test_thousands_of_classes_are_a_label(tmp_path: Path) -> None:
    """Classes that only repeat after the first 2,000 rows are found by the column's name."""
    rows: list[Row] = [{"text": text, "label": f"c{i % 2100}"} for i, text in enumerate(texts(4300))]
    profile = profiled(tmp_path, Task.CLASSIFICATION, train=written(tmp_path / "a.jsonl", rows)).profile
    assert (profile.columns.label, len(profile.labels)) == ("label", 2100)


def test_class_unknown_to_train_is_refused(tmp_path: Path) -> None:
    """A test class without training rows cannot be predicted."""
    test = written(tmp_path / "test.jsonl", [*labelled(30, seed=1), {"text": "new thing here", "label": "z"}])
    error = refused(tmp_path, train=written(tmp_path / "a.jsonl", labelled(100)), test=test)
    assert (error.code, error.param) == ("unseen_class", "data.test")
    assert "'z'" in error.rule


def test_train_given_as_test_is_refused(tmp_path: Path) -> None:
    """A copy of train under another name is no test set."""
    train = written(tmp_path / "a.jsonl", labelled(100))
    assert refused(tmp_path, train=train, test=written(tmp_path / "b.jsonl", labelled(100))).code == "same_data"


def test_validation_with_other_columns_is_refused(tmp_path: Path) -> None:
    """The missing column is named with the split it is missing in."""
    rows: list[Row] = [{"sentence": row["text"], "label": row["label"]} for row in labelled(50, seed=1)]
    error = refused(
        tmp_path,
        train=written(tmp_path / "a.jsonl", labelled(100)),
        validation=written(tmp_path / "v.jsonl", rows),
    )
    assert (error.param, error.code) == ("data.validation", "unknown_column")
    assert "lacks text" in error.rule


def test_train_inside_test_is_refused(tmp_path: Path) -> None:
    """If nothing is left after removing what test holds too, that is said."""
    test = written(tmp_path / "test.jsonl", labelled(120))
    error = refused(tmp_path, train=written(tmp_path / "a.jsonl", labelled(100)), test=test)
    assert "0 of 100 are left" in error.rule


def test_one_repeated_prompt_cannot_be_cut(tmp_path: Path) -> None:
    """Rows with the same long prompt belong on one side, which leaves no evaluation rows."""
    rows: list[Row] = [{"prompt": "say it again and again please", "completion": f"again {i}"} for i in range(50)]
    with pytest.raises(InputError, match="duplicates of each other"):
        profiled(tmp_path, Task.SFT, train=written(tmp_path / "a.jsonl", rows))


def test_rows_that_are_all_equal_are_too_few(tmp_path: Path) -> None:
    """One text repeated is one row."""
    rows: list[Row] = [{"text": "say it again", "label": "a"}] * 50
    assert "1 of 50 are left" in refused(tmp_path, train=written(tmp_path / "a.jsonl", rows)).rule


TURNS = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
FORMS: dict[str, Row] = {
    "classification": {"id": 1, "text": "", "label": "x"},
    "alpaca": {"instruction": "", "input": "more", "output": "yes it is"},
    "sharegpt": {"conversations": TURNS, "source": "here"},
    "plain text": {"text": ""},
    "pairs": {"prompt": "", "chosen": "yes", "rejected": "no"},
    "votes": {"instruction": "", "response1": "yes", "response2": "no", "annotator1": 1, "annotator2": 1},
}


@pytest.mark.parametrize("form", FORMS)
def test_columns_of_a_plan_lead_to_the_same_rows(tmp_path: Path, form: str) -> None:
    """A spec written out from a plan, with its task and columns, gives the splits that were approved."""
    rows = []
    for i, text in enumerate(texts(60)):
        row = {key: value or text for key, value in FORMS[form].items()}
        row |= {"label": "xy"[i % 2]} if form == "classification" else {}
        row |= {"annotator1": 1 + i % 2, "annotator2": 1 + i % 2} if form == "votes" else {}
        row |= {"conversations": [{"from": "human", "value": text}, TURNS[1]]} if form == "sharegpt" else {}
        rows.append(row)
    name = written(tmp_path / "a.jsonl", rows)
    first = profiled(tmp_path, train=name).profile
    again = profiled(tmp_path, first.task, train=name, columns=first.columns).profile
    assert (again.task, again.columns, again.splits) == (first.task, first.columns, first.splits)


def test_profile_of_built_in_pairs(tmp_path: Path) -> None:
    """The built-in preference data needs no file."""
    found = profiled(tmp_path, train="stdlib:docstrings-pairs@200").profile
    assert (found.task, found.sources[0].format) == (Task.PREFERENCE, "stdlib")


def test_csv_rows_with_any_quoting_profile_alike(tmp_path: Path) -> None:
    """Two spellings of the same csv have the same splits and different file fingerprints."""
    for name, quoting in (("a.csv", csv.QUOTE_ALL), ("b.csv", csv.QUOTE_MINIMAL)):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file, quoting=quoting).writerows(
                [("text", "label"), *((r["text"], r["label"]) for r in labelled(90))]
            )
    a, b = (profiled(tmp_path, train=name).profile for name in ("a.csv", "b.csv"))
    assert a.splits == b.splits
    assert a.sources[0].sha256 != b.sources[0].sha256


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize(
    ("name", "task", "columns"),
    [
        ("banking77/train.csv", Task.CLASSIFICATION, {"text": "text", "label": "category"}),
        ("gsm8k/test.jsonl", Task.SFT, {"prompt": "question", "completion": "answer"}),
        ("pandalm_pref/testset-v1.json", Task.PREFERENCE, {"prompt": "instruction"}),
        ("blimp_pairs/transitive.jsonl", Task.PREFERENCE, {"chosen": "sentence_good", "rejected": "sentence_bad"}),
    ],
)
def test_public_data_sets_profile_without_help(name: str, task: Task, columns: dict[str, str]) -> None:
    """Real files of every task are recognised as they were published."""
    found = profiled(SHARED, train=name).profile
    assert (found.task, found.columns.model_dump(exclude_none=True)) == (task, columns)
