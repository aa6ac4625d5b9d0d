"""Choosing on fresh seeds, opening the test once, handing out one adapter."""

import pytest

from agent.errors import BudgetSpent, StudyFailed
from agent.run.confirm import choose, group
from agent.study.nouns import EventKind, Phase, Proposal, StudyState, Trial, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import Direction, FailureReason, TrainResult

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


def trials(**scores):
    """Confirm trials: name=[score a seed]; None is a failure. The first name is the default."""
    made = []
    for lora_rank, values in scores.items():
        for seed, score in enumerate(values):
            number = len(made)
            made.append(
                Trial(
                    trial_id=f"1-{number}",
                    study_id="1",
                    number=number,
                    phase=Phase.CONFIRM,
                    state=TrialState.FAILED if score is None else TrialState.COMPLETE,
                    proposal=Proposal(config={"name": lora_rank}, source="confirm"),
                    seed=seed,
                    score=score,
                    reason=FailureReason.NAN if score is None else None,
                    error="loss is nan" if score is None else None,
                )
            )
    return made


def chosen(direction=UP, costs=None, **scores):
    """(name, score) of what `choose` hands back."""
    made = trials(**scores)
    results = {
        t.trial_id: TrainResult(
            steps=1,
            epochs=1,
            train_loss=1,
            eval_loss=None,
            train_seconds=1,
            tokens_per_second=1,
            peak_memory_mb=1,
            trainable_parameters=(costs or {}).get(t.config["name"], 1),
            micro_batch=1,
            gradient_accumulation=1,
            n_train_rows=1,
        )
        for t in made
    }
    choice = choose(group(made), direction, results)
    return choice.best.config["name"], choice.shipped.score


def test_the_best_mean_over_fresh_seeds_wins_and_its_best_seed_ships():
    """The single best score belongs to b, the best mean to a."""
    assert chosen(d=[0.5, 0.5, 0.5], a=[0.80, 0.82, 0.81], b=[0.2, 0.9, 0.3]) == ("a", 0.82)


def test_smaller_is_better_where_the_objective_is_minimised():
    """Loss counts downwards, for the mean and for the seed."""
    assert chosen(DOWN, d=[0.5, 0.5], a=[0.3, 0.2], b=[0.7, 0.8]) == ("a", 0.2)


def test_the_default_is_handed_back_when_nothing_beats_it():
    """A lower mean never ships."""
    assert chosen(d=[0.9, 0.8], a=[0.7, 0.7]) == ("d", 0.9)


def test_a_gain_within_one_standard_error_is_the_default():
    """Gains of 0.3, -0.1 and 0.1 have mean 0.1 and standard error 0.12."""
    assert chosen(d=[0.5, 0.5, 0.5], a=[0.8, 0.4, 0.6]) == ("d", 0.5)
    assert chosen(d=[0.5, 0.5, 0.5], a=[0.7, 0.6, 0.6]) == ("a", 0.7)


def test_among_equals_the_cheaper_one_ships():
    """Within one standard error of the best mean, fewer trained parameters decide."""
    scores = {"d": [0.1, 0.1], "a": [0.8, 0.6], "b": [0.6, 0.79]}
    assert chosen(costs={"a": 10, "b": 5}, **scores)[0] == "b"
    assert chosen(costs={"a": 5, "b": 10}, **scores)[0] == "a"


def test_a_candidate_that_fails_on_a_seed_drops_out():
    """High scores on the other seeds do not save it."""
    made = trials(d=[0.5, 0.5], a=[0.9, None], b=[0.6, 0.6])
    choice = choose(group(made), UP, {})
    assert choice.best.config["name"] == "b"
    [(dropped, why)] = choice.dropped
    assert (dropped.config["name"], why) == ("a", "NAN: loss is nan")


def test_candidates_are_compared_on_the_seeds_the_default_came_through_on():
    """All remaining candidates are paired with it."""
    choice = choose(group(trials(d=[None, 0.5, 0.5], a=[0.2, 0.9, 0.9])), UP, {})
    assert [c.seeds for c in choice.confirmed] == [(1, 2), (1, 2)]
    assert choice.best.config["name"] == "a"


def test_a_default_that_never_runs_does_not_stop_the_others():
    """There is no baseline then, and the best of the others ships."""
    choice = choose(group(trials(d=[None, None], a=[0.2, 0.3], b=[0.6, 0.7])), UP, {})
    assert (choice.best.config["name"], choice.default.complete) == ("b", ())


def test_when_no_candidate_comes_through_the_first_error_is_told():
    """Nothing can be handed back."""
    with pytest.raises(StudyFailed, match=r"fresh seed\. The first error: NAN: loss is nan"):
        choose(group(trials(d=[None], a=[None])), UP, {})


def test_top_two_and_the_default_share_three_fresh_seeds(store, lab):
    """Candidates are the two best search configurations; seeds are paired and new."""
    lab.run(store, store.create_study(lab.plan(trials=8)).study_id)
    search, confirm = store.trials("1", Phase.SEARCH), store.trials("1", Phase.CONFIRM)
    tops = sorted(search[1:], key=lambda t: -t.score)[:2]
    by_config = {str(t.config): {c.seed for c in confirm if c.config == t.config} for t in (search[0], *tops)}
    assert len(by_config) == 3
    assert all(len(seeds) == 3 for seeds in by_config.values())
    assert len(set(map(frozenset, by_config.values()))) == 1


def test_only_adapters_of_the_default_and_the_best_are_kept(store, lab):
    """Search trials and the other candidate leave nothing on the disk; one adapter is handed out."""
    outcome = lab.run(store, store.create_study(lab.plan(trials=5)).study_id)
    material = lab.reported(store, "1")
    kept = {*material["default"]["trial_ids"], *material["best"]["trial_ids"]}
    assert len(kept) == 6
    assert {t.trial_id for t in store.trials("1") if t.adapter_dir} == kept
    left = {path.name for path in (store.study("1").directory / "attempts").iterdir()}
    assert left == {f"{trial_id}-1" for trial_id in kept}
    shipped = next(t for t in store.trials("1") if t.trial_id == material["shipped_trial"])
    assert str(shipped.seed) in (outcome.adapter_dir / "scripted.json").read_text()


def test_the_report_tells_when_the_default_wins(store, lab):
    """Best and default are the same candidate."""
    default = lab.SPACE.default()
    executor = ScriptedExecutor(lambda config, seed: 0.9 if config == default else 0.1)
    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, executor)
    material = lab.reported(store, "1")
    assert material["best"] == material["default"]
    assert material["best"]["config"] == default
    [event] = store.events("1", kind=EventKind.CHOSEN)
    assert "nothing beat the default" in event.data["why"]


def test_the_output_directory_of_the_spec_gets_report_and_adapter(store, lab, tmp_path):
    """An older adapter there is replaced as a whole."""
    (tmp_path / "out" / "adapter").mkdir(parents=True)
    (tmp_path / "out" / "adapter" / "stale.bin").write_text("old")
    outcome = lab.run(store, store.create_study(lab.plan(trials=2, output=str(tmp_path / "out"))).study_id)
    assert outcome.report_dir == tmp_path / "out"
    assert [p.name for p in outcome.adapter_dir.iterdir()] == ["scripted.json"]
    assert (tmp_path / "out" / "report.json").exists()


def test_the_test_split_is_opened_once_and_counted_before(store, lab):
    """The opening is in the store when the rows are read, for the adapters of two configurations."""
    seen = []

    def counting(spec):
        seen.append((len(store.test_openings("1")), len(spec.models), spec.evaluate.file.name, spec.test_sha256))
        return lab.open_test(spec)

    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, open_test=counting)
    assert seen == [(1, 6, "test.jsonl", "c")]


def test_an_opening_that_fails_is_counted_and_the_study_can_be_resumed(store, lab):
    """Both openings are shown in the report."""

    def broken(spec):
        raise OSError("the machine burns")

    study = store.create_study(lab.plan(trials=3))
    with pytest.raises(OSError, match="burns"):
        lab.run(store, study.study_id, open_test=broken)
    assert store.study("1").state is StudyState.FAILED
    assert store.study("1").error == "the machine burns"
    n_trials = len(store.trials("1"))
    lab.run(store, "1")
    assert len(store.trials("1")) == n_trials
    assert lab.reported(store, "1")["test_openings"] == 2


def test_a_report_that_fails_to_be_written_does_not_open_the_test_again(store, lab):
    """The stored results are used."""

    def broken(material, directory):
        raise OSError("no pen")

    study = store.create_study(lab.plan(trials=3))
    with pytest.raises(OSError, match="no pen"):
        lab.run(store, study.study_id, write_report=broken)
    lab.run(store, "1", open_test=None)
    assert lab.reported(store, "1")["test_openings"] == 1


def test_failing_confirm_runs_are_deviations_in_the_report(store, lab):
    """A candidate that fails on a fresh seed is named with its reason."""

    def failure(spec):
        confirm = int(spec.attempt_id.split("-")[1]) >= 4
        default = spec.train.config == lab.SPACE.default()
        return (FailureReason.NAN, "loss is nan") if confirm and not default else None

    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, ScriptedExecutor(lab.objective, failure=failure))
    material = lab.reported(store, "1")
    assert material["best"] == material["default"]
    assert sum("was dropped: it failed on a fresh seed (NAN: loss is nan)" in d for d in material["deviations"]) == 2


def test_no_confirm_run_begins_after_the_time_limit(store, lab):
    """Runs slower than planned: the first seed is whole, the rest is given up, and the report says so."""
    study = store.create_study(lab.plan(trials=3, seconds=3.0, seconds_per_trial=0.05))

    def seconds(spec):
        return 0.7 if spec.keep_adapter else 0.05

    lab.run(store, study.study_id, ScriptedExecutor(lab.objective, seconds=seconds))
    confirm = store.trials("1", Phase.CONFIRM)
    states = [t.state for t in confirm]
    assert states[:3] == [TrialState.COMPLETE] * 3
    assert [t.seconds < 0.1 for t in confirm[5:]] == [True] * 4
    assert {t.reason for t in confirm if t.state is not TrialState.COMPLETE} == {FailureReason.TIMEOUT}
    report = lab.reported(store, "1")
    assert any("were not started" in sentence for sentence in report["deviations"])
    assert len(report["best"]["seeds"]) == 1
    assert len(report["confirmed"]) == 3


def test_time_that_ends_before_any_confirm_run_is_budget_spent(store, lab):
    """There is no adapter then, and it is not the configurations' fault."""
    study = store.create_study(lab.plan(trials=2, seconds=1.0, seconds_per_trial=0.05))

    def seconds(spec):
        return 5.0 if spec.keep_adapter else 0.05

    with pytest.raises(BudgetSpent, match="before anything was confirmed"):
        lab.run(store, study.study_id, ScriptedExecutor(lab.objective, seconds=seconds))


def test_repeats_of_the_planner_count_as_duplicates_avoided(store, lab):
    """Those it put into a batch, and those a proposer offered."""

    class Repeating(lab.RandomProposer):
        def propose(self, history, n, seed):
            votes = {"kind": "votes", "message": "repeated", "count": 3}
            store.log_event("1", EventKind.PLANNER, None, votes)
            return [Proposal(config=history.trials[0].config, source="llm"), *super().propose(history, n, seed)]

    lab.run(store, store.create_study(lab.plan(trials=2)).study_id, proposer=Repeating())
    assert lab.reported(store, "1")["duplicates_avoided"] == 4
