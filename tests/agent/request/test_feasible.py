"""What does not fit is refused with the change that would make it fit."""

import pytest

from agent.request.draft import Draft, RefusalClass
from agent.request.feasible import check_disk, check_feasible, fit_adapter_limit, interval_half_width
from agent.request.working import Working
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile, LengthProfile, SplitProfile
from tools.estimate import estimate
from tools.machine import Gpu, Machine
from trainers.space import CategoricalParameter, IntParameter, Space
from trainers.spec import Columns, TaskSpec

MODEL = BaseModelFacts(
    name="own/llama-8b",
    path="own/llama-8b",
    origin="hub",
    parameters=8_030_000_000,
    hidden_size=4096,
    n_layers=32,
    vocab_size=128256,
    intermediate_size=14336,
)
SPACE = Space(
    parameters={
        "lora_rank": CategoricalParameter(choices=(4, 8, 16), default=16),
        "batch_size": CategoricalParameter(choices=(8,)),
        "epochs": CategoricalParameter(choices=(1,)),
    }
)


def gpu(gigabytes):
    """A machine with one GPU of that size."""
    card = Gpu(name="NVIDIA A100", memory_mb=gigabytes * 1024, free_memory_mb=gigabytes * 1024, compute_capability=8.0)
    facts = {"cpu_cores": 8, "memory_mb": 64000, "free_memory_mb": 60000, "cpu_bf16": False}
    return Machine(**facts, gpus=(card,), torch_cuda="12.8")


def spec(**changes):
    base = {
        "task": "sft",
        "base_model": MODEL.name,
        "data": {"train": "x.jsonl"},
        "objective": {"metric": "eval_loss", "direction": "minimize"},
        "budget": {"trials": 4},
    }
    return TaskSpec.model_validate(base | changes)


def data(tokens):
    lengths = LengthProfile(
        tokenizer="t",
        p50=100,
        p90=tokens,
        p99=tokens,
        p995=tokens,
        max=tokens,
        max_seq_length=tokens,
        truncated_share=0,
    )
    shas = dict.fromkeys(("train_sha256", "validation_sha256", "test_sha256"), "")
    splits = SplitProfile(train=1000, validation=100, test=100, how="", **shas)
    return DataProfile(task="sft", sources=(), columns=Columns(), lengths=lengths, splits=splits)


def refusal(machine, tokens=512, **changes):
    work = Working(Draft())
    check_feasible(work, spec(**changes), SPACE, MODEL, data(tokens), machine, 1e14)
    return work.refusal


def test_what_fits_is_not_refused():
    """An 8 B model with LoRA fits 40 GB."""
    assert refusal(gpu(40)) is None


@pytest.mark.parametrize(
    ("machine", "tokens", "changes", "advice"),
    [
        (gpu(40), 512, {"adapter": "full"}, "To fit, use lora."),
        (gpu(16), 512, {}, "use qlora"),
        (gpu(24), 16384, {}, "cut rows to"),
        (gpu(40), 512, {"constraints": {"max_vram_gb": 12}}, "use qlora"),
        (gpu(4), 512, {}, "Choose a model of at most about"),
    ],
    ids=["full to lora", "lora to qlora", "shorter rows", "the user's limit", "smaller model"],
)
def test_the_smallest_change_that_fits_is_named(machine, tokens, changes, advice):
    """The refusal says what is needed, what there is, and what would fit."""
    refused = refusal(machine, tokens, **changes)
    assert refused.kind is RefusalClass.INFEASIBLE
    assert advice in refused.message
    assert " GB" in refused.message


def test_unknown_size_is_said_and_not_refused():
    """Without the model's size nothing is claimed about memory."""
    work = Working(Draft())
    unknown = MODEL.model_copy(update={"parameters": None})
    check_feasible(work, spec(), SPACE, unknown, data(512), gpu(4), 1e14)
    assert work.refusal is None
    assert "not checked" in work.notes[0]


@pytest.mark.parametrize(
    "rank",
    [CategoricalParameter(choices=(4, 8, 16), default=16), IntParameter(low=4, high=16, log=True, default=16)],
    ids=["list", "range"],
)
def test_ranks_over_the_adapter_limit_leave_the_space(rank):
    """Rank 8 fits 120 MB, rank 16 does not: the space ends below, its default inside."""
    space = SPACE.model_copy(update={"parameters": {**SPACE.parameters, "lora_rank": rank}})
    limited, work = spec(constraints={"max_adapter_mb": 120}), Working(Draft())
    cut = fit_adapter_limit(work, limited, space, MODEL)
    assert 8 <= cut.parameters["lora_rank"].at(1.0) < 16
    assert cut.problems(cut.default()) == []
    assert estimate(limited, cut, MODEL, data(512), gpu(40), 1e14).adapter_mb <= 120
    assert work.notes
    fit_adapter_limit(work, spec(constraints={"max_adapter_mb": 1}), space, MODEL)
    assert work.refusal.kind is RefusalClass.INFEASIBLE
    assert fit_adapter_limit(Working(Draft()), spec(), space, MODEL) is space


def test_a_budget_that_only_starts_a_worker_is_refused():
    """A trial of milliseconds does not fit five seconds in which a process has yet to load its libraries."""
    refused = refusal(gpu(40), budget={"trials": 4, "seconds": 5})
    assert refused.kind is RefusalClass.INFEASIBLE
    assert "starting takes up to 20 s" in refused.message
    assert refusal(gpu(40), budget={"trials": 4, "seconds": 600}) is None


def test_trials_side_by_side_must_fit_the_memory_together():
    """On a CPU they share it; the refusal says how many fit."""
    cpu = gpu(40).model_copy(update={"gpus": (), "torch_cuda": None})
    small = MODEL.model_copy(update={"parameters": 600_000_000, "hidden_size": 1024, "n_layers": 28})
    for parallel, fits in ((1, True), (64, False)):
        work = Working(Draft())
        wanted = spec(budget={"trials": 64, "parallel_trials": parallel})
        check_feasible(work, wanted, SPACE, small, data(64), cpu, 1e14)
        assert (work.refusal is None) is fits
    assert "at once (parallel_trials)" in work.refusal.message


def test_what_the_disk_cannot_hold_is_said_before_anything_is_written(tmp_path):
    """Adapters larger than any disk are refused, small ones pass; the home need not exist yet."""
    for adapter_mb, fits in ((1.0, True), (1e12, False)):
        work = Working(Draft())
        check_disk(work, adapter_mb, tmp_path / "new" / "home")
        assert (not work.errors) is fits
    assert (work.errors[0].code, work.errors[0].param) == ("disk_full", "output")
    assert "MB free" in work.errors[0].message
    assert not (tmp_path / "new").exists()


def test_interval_of_a_share_shrinks_with_rows():
    """96 rows give ±10 points, 2,401 rows ±2; none gives no information."""
    assert interval_half_width(96) == pytest.approx(0.1, abs=0.001)
    assert interval_half_width(2401) == pytest.approx(0.02, abs=0.001)
    assert interval_half_width(0) == 1.0
