"""A past Optuna study as the start of a new one: what is read, what is left out, what binds."""

import hashlib
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from agent.request.draft import Draft, DraftSpec
from agent.request.past import MAX_PAST, Past, canonical_name, read_past, read_study
from agent.request.resolve import Overrides, resolve
from agent.settings import Settings
from agent.study.store import Store
from trainers.errors import InputError
from trainers.space import CategoricalParameter, FloatParameter, Space
from trainers.spec import Search, TaskSpec

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPACE = Space(
    parameters={
        "learning_rate": FloatParameter(low=1e-5, high=1e-2, log=True, default=2e-4),
        "lora_rank": CategoricalParameter(choices=(4, 8, 16), default=16),
        "weight_decay": FloatParameter(low=0.0, high=0.1, default=0.01),
    }
)
SPEC = TaskSpec.model_validate(
    {
        "task": "classification",
        "base_model": "x",
        "data": {"train": "t.csv"},
        "objective": {"metric": "f1_macro", "direction": "maximize"},
        "budget": {"trials": 5},
    }
)


def objective(trial: optuna.Trial) -> float:
    """Of the third trial nothing is left, and the fourth lies outside."""
    rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    trial.suggest_int("lora_r", 4, 8, step=4)
    trial.suggest_float("seed_share", 0, 1)
    if trial.number == 2:
        raise MemoryError
    return rate


def past_study(storage: object, name: str = "old", **more: object) -> optuna.Study:
    """Five trials, one of them still running."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=optuna.samplers.RandomSampler(seed=1),
        **({"direction": "maximize"} | more),
    )
    for rate in (1e-4, 1e-3, 2e-3, 0.5):
        study.enqueue_trial({"lr": rate})
    study.optimize(objective, n_trials=4, catch=(MemoryError,))
    study.ask()
    return study


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An SQLite file of Optuna's with one study."""
    past_study(f"sqlite:///{tmp_path}/past.db")
    return tmp_path / "past.db"


def digest(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_members_are_taken_under_our_names_and_the_rest_is_accounted_for(database: Path):
    """Spellings that requests may use are understood; what the past study did not have is at its default."""
    found = read_past("past.db", SPEC, SPACE, (database.parent,))
    assert [(t.state, t.score) for t in found.trials] == [("complete", 1e-4), ("complete", 1e-3), ("failed", None)]
    assert [t.config["learning_rate"] for t in found.trials] == [1e-4, 1e-3, 2e-3]
    assert all(t.config["lora_rank"] in (4, 8) and t.config["weight_decay"] == 0.01 for t in found.trials)
    assert found.left_out == {"not finished": 1, "outside of the search space": 1}
    assert (found.assumed, found.not_searched) == (("weight_decay",), ("seed_share",))
    note = found.note(SPEC)
    assert "3 of 5 trials" in note
    assert "f1_macro" in note


def test_the_file_is_only_read(database: Path):
    """Also one that cannot be written, and nothing appears beside it."""
    before = digest(database)
    database.chmod(0o444)
    for source in ("past.db", "past.db#old", f"sqlite:///{database}", "sqlite:///past.db#old"):
        assert len(read_past(source, SPEC, SPACE, (database.parent,)).trials) == 3
    assert digest(database) == before
    assert [p.name for p in database.parent.iterdir()] == ["past.db"]


def test_journal_files_are_read_too(tmp_path: Path):
    """Optuna's other storage in a file."""
    past_study(JournalStorage(JournalFileBackend(str(tmp_path / "log"))))
    before = digest(tmp_path / "log")
    assert len(read_past("log#old", SPEC, SPACE, (tmp_path,)).trials) == 3
    assert digest(tmp_path / "log") == before


def test_one_of_several_studies_must_be_named(database: Path):
    """The message names them."""
    past_study(f"sqlite:///{database}", "other")
    with pytest.raises(InputError, match="old, other"):
        read_study(database)
    with pytest.raises(InputError, match="no study 'third'"):
        read_study(database, "third")
    assert read_study(database, "other").study_name == "other"


def test_what_is_no_storage_is_said_so(tmp_path: Path):
    """A missing file is not made, another database gets no tables, a pickle is not opened."""
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "empty").touch()
    (tmp_path / "pickle").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    (tmp_path / "table.db").write_bytes(b"SQLite format 3\x00" + bytes(100))
    for name in ("missing.db", "text", "empty", "pickle", "table.db"):
        with pytest.raises(InputError):
            read_study(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "pickle", "table.db", "text"]


@pytest.mark.parametrize("source", ["../past.db", "/etc/passwd", "postgresql://host/db", "sqlite:////etc/passwd"])
def test_only_files_inside_the_roots_are_opened(source: str, database: Path):
    """As for data."""
    inside = database.parent / "inside"
    inside.mkdir()
    with pytest.raises(InputError) as caught:
        read_past(source, SPEC, SPACE, (inside,))
    assert caught.value.code == "unsafe_path"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_scores_that_do_not_compare_are_refused(tmp_path: Path):
    """Another direction, another metric, several objectives."""
    past_study(f"sqlite:///{tmp_path}/down.db", direction="minimize")
    past_study(f"sqlite:///{tmp_path}/loss.db").set_metric_names(["rouge"])
    optuna.create_study(storage=f"sqlite:///{tmp_path}/two.db", directions=["minimize", "maximize"])
    for name, words in (("down.db", "minimizes"), ("loss.db", "'rouge'"), ("two.db", "2 objectives")):
        with pytest.raises(InputError, match=words):
            read_past(name, SPEC, SPACE, (tmp_path,))


@pytest.mark.parametrize("score", [87.5, 1.01, -0.4, 100.0, 2.0, -1.0, 89, 1e6, -1e-3, 50.5])
def test_scores_that_the_metric_cannot_have_are_refused(tmp_path: Path, score: float):
    """Percentages would make the surrogate's target nonsense."""
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/pct.db", direction="maximize")
    study.enqueue_trial({"lr": 1e-3})
    study.optimize(lambda trial: trial.suggest_float("lr", 1e-5, 1.0) * 0 + score, n_trials=1)
    with pytest.raises(InputError, match="cannot be f1_macro"):
        read_past("pct.db", SPEC, SPACE, (tmp_path,))


def test_a_study_without_members_is_an_error(database: Path):
    """A warm start that changes nothing is not passed over in silence."""
    space = Space(parameters={"learning_rate": FloatParameter(low=2.0, high=3.0)})
    with pytest.raises(InputError, match="no trial"):
        read_past("past.db", SPEC, space, (database.parent,))


def test_long_studies_are_cut_to_the_best_and_the_latest(tmp_path: Path):
    """The count of the others is told."""
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/long.db", direction="maximize")
    distribution = {"learning_rate": optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True)}
    values = [1e-5 * 1.1**i for i in range(60)]
    study.add_trials(
        [
            optuna.create_trial(params={"learning_rate": v}, distributions=distribution, value=1 - i / 64)
            for i, v in enumerate(values)
        ]
    )
    found = read_past("long.db", SPEC, SPACE, (tmp_path,))
    assert len(found.trials) == MAX_PAST
    assert found.left_out == {f"beyond the best and latest {MAX_PAST}": 20}
    assert {1.0, 1 - 59 / 64} <= {t.score for t in found.trials}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("learning_rate", "learning_rate"),
        ("train/lr", "learning_rate"),
        ("num_train_epochs", "epochs"),
        ("lr_scheduler_type", "scheduler"),
        ("per_device_train_batch_size", None),
        ("warmup_steps", None),
        ("hidden_size", None),
    ],
)
def test_names_are_those_that_requests_may_use(theirs: str, ours: str | None):
    """And no near misses: a per-device batch is not the effective one."""
    assert canonical_name(theirs, set(Search.model_fields)) == ours


def plan_of(here: Path, warm_start: str | None):
    """The plan of a small job in `here`."""
    (here / "t.csv").write_text("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(120)))
    settings = Settings(home=here / ".home", roots=(here,))
    spec = DraftSpec.model_validate({"task": "classification", "base_model": "embedded:tiny-causal"})
    return resolve("tune t.csv", Draft(spec=spec), settings, Overrides(data="t.csv", warm_start=warm_start)).plan


def test_the_plan_binds_to_the_trials_that_were_read(database: Path):
    """Its hash changes when the file does; its rows stay when the file goes."""
    here = database.parent
    cold, warm = plan_of(here, None), plan_of(here, "past.db")
    assert warm.ready
    assert warm.spec.warm_start == "past.db"
    assert any("Warm start" in note for note in warm.notes)
    study = optuna.load_study(study_name="old", storage=f"sqlite:///{database}")
    study.enqueue_trial({"lr": 3e-4})
    study.optimize(objective, n_trials=1)
    again = plan_of(here, "past.db")
    assert len({cold.plan_hash, warm.plan_hash, again.plan_hash}) == 3
    assert Past.model_validate_json(again.past.model_dump_json()) == again.past


def test_a_study_keeps_its_past_trials_when_the_file_is_gone(database: Path, tmp_path: Path):
    """Resuming reads them from the store."""
    plan = plan_of(database.parent, "past.db")
    with Store.open(tmp_path / "t.db") as store:
        study_id = store.create_study(plan, command="").study_id
    database.unlink()
    with Store.open(tmp_path / "t.db") as store:
        kept = store.study(study_id).plan
    assert kept.past == plan.past
    assert kept.plan_hash == plan.plan_hash


def test_a_bad_warm_start_is_an_error_of_the_plan(tmp_path: Path):
    """And one outside is refused."""
    assert plan_of(tmp_path, "none.db").error.param == "warm_start"
    assert plan_of(tmp_path, "/etc/passwd").refusal.kind == "unsafe_path"
