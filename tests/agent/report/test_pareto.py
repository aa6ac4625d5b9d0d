"""Quality against costs in the report: the front, what each view shows of it, and what it must not claim."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.report import compromises
from agent.report.build import build_report
from agent.report.material import Material
from agent.report.model import Report
from agent.report.pareto import non_dominated
from agent.report.plots import draw_plots
from agent.report.terminal import print_report
from agent.report.write import read_report, write_report
from agent.study.nouns import Costs, Phase
from trainers.spec import Config, Task, Tradeoff

Make = Callable[..., Material]
TIME = (Tradeoff.TRAIN_SECONDS,)
EVERY_COST = tuple(Tradeoff)


def built(material: Material) -> Report:
    return build_report(material, Path(material.adapter_dir).parent)


def paid(material: Material, price: Callable[[Config, int], tuple[float, float]]) -> Material:
    """`material` with (score, train seconds) of its search trials from configuration and number; confirm as it was."""
    trials = []
    for t in material.trials:
        if t.phase is Phase.SEARCH and t.costs is not None:
            score, seconds = price(t.config, t.number)
            t = t.model_copy(update={"score": score, "costs": t.costs.model_copy(update={"train_seconds": seconds})})
        trials.append(t)
    return material.model_copy(update={"trials": tuple(trials)})


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.tuples(*[st.integers(0, 4).map(float) | st.floats(-9, 9)] * n), max_size=12)
    )
)
def test_the_front_is_all_that_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    """No returned point is dominated; every left-out one is dominated by a returned one; equals stay together."""
    front = non_dominated(points)
    assert not any(dominates(other, points[i]) for i in front for other in points)
    left_out = set(range(len(points))) - set(front)
    assert all(any(dominates(points[j], points[i]) for j in front) for i in left_out)
    assert bool(front) == bool(points)
    assert all((i in front) == (j in front) for i in range(len(points)) for j in range(i) if points[i] == points[j])


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.SFT])
def test_every_configuration_is_on_the_front_or_beaten(make_material: Make, task: Task) -> None:
    """Over the metric's own direction and the costs that were weighed; each configuration appears once."""
    report = built(make_material(task, tradeoffs=EVERY_COST, n_trials=30))
    assert report.pareto is not None
    assert report.pareto.weighed
    assert report.pareto.costs == EVERY_COST
    every = (*report.pareto.front, *report.pareto.others)
    assert len({json.dumps(c.config, sort_keys=True) for c in every}) == len(every) == 29
    sign = 1 if task is Task.SFT else -1

    def point(c: object) -> tuple[float, ...]:
        return (sign * c.quality, *(float(f"{c.costs.of(k):.2g}") for k in EVERY_COST))  # type: ignore[attr-defined]

    for c in report.pareto.front:
        assert not any(dominates(point(other), point(c)) for other in every)
    for c in report.pareto.others:
        assert any(dominates(point(other), point(c)) for other in report.pareto.front)


def test_confirmed_quality_is_that_of_fresh_seeds(make_material: Make) -> None:
    """The search's score of a confirmed configuration, which was chosen for being high, is not used again."""
    report = built(make_material(tradeoffs=TIME))
    assert report.pareto is not None
    by_mark = {(c.is_default, c.is_best): c for c in (*report.pareto.front, *report.pareto.others) if c.confirmed}
    assert by_mark[True, False].quality == report.default.validation.mean
    assert by_mark[False, True].quality == report.best.validation.mean
    assert by_mark[False, True].n_seeds == 3
    rest = [c for c in (*report.pareto.front, *report.pareto.others) if not c.confirmed]
    assert rest
    assert {c.n_seeds for c in rest} == {1}


def test_replicates_are_averaged(make_material: Make) -> None:
    """A configuration that the search ran twice is one point with the mean of its scores and costs."""
    material = make_material(tradeoffs=TIME)
    (first,) = (t for t in material.trials if t.number == 9)
    again = first.model_copy(
        update={
            "trial_id": "again", "number": 99, "score": (first.score or 0) + 0.2,
            "costs": Costs(train_seconds=20.0, peak_memory_mb=1.0, adapter_mb=1.0),
        }
    )  # fmt: skip
    report = built(material.model_copy(update={"trials": (*material.trials, again)}))
    assert report.pareto is not None
    (found,) = (c for c in (*report.pareto.front, *report.pareto.others) if c.config == first.config)
    assert (found.trial_number, found.n_seeds, found.confirmed) == (9, 2, False)
    assert found.quality == pytest.approx((first.score or 0) + 0.1)
    assert first.costs is not None
    assert found.costs.train_seconds == pytest.approx((first.costs.train_seconds + 20) / 2)


def test_noise_of_the_clock_makes_no_front(make_material: Make) -> None:
    """A worse configuration that was some milliseconds faster is beaten: costs are compared to two digits."""
    material = make_material(tradeoffs=TIME, n_trials=8)
    report = built(paid(material, lambda config, number: (0.5 + 0.01 * number, 17.0 + 0.01 * number)))
    assert report.pareto is not None
    unconfirmed = [c.trial_number for c in report.pareto.front if not c.confirmed]
    assert len(unconfirmed) <= 1


def test_a_front_that_was_sought_is_in_every_view(make_material: Make) -> None:
    """Page, Markdown, JSON and terminal show it with default and best, a plot, and a warning on single seeds."""
    material = make_material(tradeoffs=EVERY_COST, n_trials=30)
    directory = Path(material.adapter_dir).parent
    report = write_report(material, directory)
    assert read_report(directory) == report
    assert json.loads((directory / "report.json").read_text())["pareto"]["front"]
    assert (directory / "plots" / "quality_against_cost.png").read_bytes().startswith(b"\x89PNG")
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_report(report, console)
    for text in (
        (directory / "report.html").read_text(),
        (directory / "report.md").read_text(),
        " ".join(console.export_text().split()).replace("quality against", "Quality against"),
    ):
        assert "Quality against cost" in text
        assert "handed back" in text
        assert "not confirmed on fresh seeds" in text
    shown = compromises.compromises(report)
    assert [c.is_default for c in shown].count(True) == [c.is_best for c in shown].count(True) == 1
    loose = [c.trial_number for c in shown if not c.confirmed]
    assert all(str(number) in compromises.note(report) for number in loose)


def test_memory_of_a_cpu_worker_is_not_taken_at_its_word(make_material: Make) -> None:
    """It holds what earlier trials left; on a GPU it is the trial's own, and nothing has to be said."""
    material = make_material(tradeoffs=EVERY_COST)
    on_gpu = material.model_copy(update={"environment": {"device": "cuda"}})
    assert "grows from trial to trial" in compromises.note(built(material))
    assert "grows from trial to trial" not in compromises.note(built(on_gpu))
    assert "grows from trial to trial" not in compromises.note(built(make_material(tradeoffs=TIME)))


def test_a_long_front_is_shown_in_part(make_material: Make) -> None:
    """Both ends, default and best stay; the note says how many there are."""
    material = paid(make_material(tradeoffs=TIME, n_trials=30), lambda c, n: (0.3 + 0.02 * n, 2.0 * 1.2**n))
    report = built(material)
    assert report.pareto is not None
    assert len(report.pareto.front) > compromises.MAX_ROWS
    shown = compromises.compromises(report)
    assert len(shown) <= compromises.MAX_ROWS + 2
    assert all(end in shown for end in (report.pareto.front[0], report.pareto.front[-1]))
    assert f"{compromises.MAX_ROWS} of them shown" in compromises.note(report)


def test_quality_alone_still_shows_what_is_cheaper(make_material: Make) -> None:
    """Without trade-offs: the best and what trains faster without being worse than the default; no plot."""
    material = make_material(n_trials=12)
    report = built(material)
    assert report.pareto is not None
    assert not report.pareto.weighed
    shown = compromises.compromises(report)
    (best,) = (c for c in shown if c.is_best)
    for c in shown:
        assert c.is_best or c.is_default or c.costs.train_seconds < best.costs.train_seconds
        assert c.quality >= (report.default.validation.mean or 0.0)
    assert any(not c.is_best and not c.is_default for c in shown)
    assert "quality alone" in compromises.note(report)
    assert "quality_against_cost" not in {plot.name for plot in draw_plots(material, report)}


def test_nothing_cheaper_leaves_no_section(make_material: Make) -> None:
    """Where all that is cheaper is worse than the default, or is the default, there is nothing to say."""
    report = built(paid(make_material(), lambda config, number: (0.01 * number, 50.0)))
    assert compromises.compromises(report) == []
    directory = Path(report.directory)
    write_report(make_material(n_trials=2), directory)
    for name in ("report.html", "report.md"):
        assert "Cheaper" not in (directory / name).read_text()


def test_few_configurations_with_costs_are_no_front(make_material: Make) -> None:
    """Two configurations, or trials from before costs were read, leave the field empty; older reports are read."""
    assert built(make_material(n_trials=2, tradeoffs=TIME)).pareto is None
    material = make_material(tradeoffs=TIME)
    bare = tuple(t.model_copy(update={"costs": None}) for t in material.trials)
    report = built(material.model_copy(update={"trials": bare}))
    assert report.pareto is None
    assert compromises.compromises(report) == []
    old = report.model_dump(mode="json")
    del old["pareto"]
    assert Report.model_validate(old) == report


@pytest.mark.parametrize("costs", [TIME, EVERY_COST[:2], EVERY_COST])
@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.SFT])
def test_the_plot_has_a_panel_for_each_cost(make_material: Make, costs: tuple[Tradeoff, ...], task: Task) -> None:
    """Scores and costs of any span, zero costs included; wide where there are several panels."""
    material = paid(
        make_material(task, tradeoffs=costs, n_trials=8), lambda config, number: (10.0**number, float(number))
    )
    report = built(material)
    (plot,) = (p for p in draw_plots(material, report) if p.name == "quality_against_cost")
    assert plot.svg is not None
    assert plot.wide == (len(costs) > 1)
    for words in ("training time", "peak memory", "adapter size")[: len(costs)]:
        assert words in plot.alt
