"""What a study is said to take."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile, LengthProfile, SplitProfile
from tools.estimate import estimate, matmul_flops, training_flops, trial_cost
from tools.machine import Gpu, Machine
from trainers.space import CategoricalParameter, Space
from trainers.spec import Columns, TaskSpec

MINILM = BaseModelFacts(
    name="minilm",
    path="minilm",
    origin="here",
    parameters=22_713_216,
    hidden_size=384,
    n_layers=6,
    vocab_size=30522,
    intermediate_size=1536,
)
LLAMA_3B = BaseModelFacts(
    name="llama",
    path="llama",
    origin="hub",
    parameters=3_212_749_824,
    hidden_size=3072,
    n_layers=28,
    vocab_size=128256,
    intermediate_size=8192,
    tied_embeddings=True,
)
CPU = Machine(cpu_cores=2, memory_mb=16000, free_memory_mb=12000, cpu_bf16=True)
H200 = Machine(
    cpu_cores=16,
    memory_mb=128000,
    free_memory_mb=120000,
    cpu_bf16=True,
    gpus=(Gpu(name="NVIDIA H200", memory_mb=143771, free_memory_mb=143000, compute_capability=9.0),),
    torch_cuda="12.8",
)
SPACE = Space(
    parameters={
        "lora_rank": CategoricalParameter(choices=(8, 16), default=16),
        "batch_size": CategoricalParameter(choices=(32,), default=32),
        "epochs": CategoricalParameter(choices=(1,), default=1),
    }
)


def spec(task="classification", **changes):
    metric = {"classification": "f1_macro", "sft": "eval_loss", "preference": "reward_accuracy"}[task]
    objective = {"metric": metric, "direction": "minimize" if metric == "eval_loss" else "maximize"}
    loss = {"loss": "sigmoid"} if task == "preference" else {}
    base = {
        "task": task,
        "base_model": "m",
        "data": {"train": "x.csv"},
        "objective": objective,
        "budget": {"trials": 8},
    }
    return TaskSpec.model_validate(base | loss | changes)


def data(task="classification", train=3200, tokens=64):
    lengths = LengthProfile(
        tokenizer="t",
        p50=tokens,
        p90=tokens,
        p99=tokens,
        p995=tokens,
        max=tokens,
        max_seq_length=tokens,
        truncated_share=0,
    )
    shas = dict.fromkeys(("train_sha256", "validation_sha256", "test_sha256"), "")
    splits = SplitProfile(train=train, validation=100, test=100, how="", **shas)
    return DataProfile(task=task, sources=(), columns=Columns(), lengths=lengths, splits=splits)


def test_known_step_time_is_met():
    """MiniLM with LoRA took 0.35 s a step of 32 x 64 tokens on idle cores and 0.6 s on shared ones."""
    cost = trial_cost(spec(), SPACE.default(), MINILM, data(), CPU, 0.8 * 235e9)
    assert 0.35 <= cost.seconds / 100 <= 0.7


def test_known_memory_is_met():
    """PEFT measured 20.8 GiB for Llama-3.2-3B with LoRA, batch 4, 768 tokens, nothing recomputed."""
    from tools import estimate as module

    cost = trial_cost(spec("sft"), SPACE.default(), LLAMA_3B, data("sft", tokens=768), H200, 2e14, micro_batch=4)
    recomputed = cost.memory_mb / 1024
    kept = recomputed + 4 * 768 * 3072 * (28 * 34 - 28 * 2 - 34) / 2**30
    assert 0.8 * 20.8 <= kept <= 1.2 * 20.8
    assert module.checkpointed(H200.device, LLAMA_3B.parameters)
    assert recomputed < kept


def test_adapter_size_is_that_of_its_matrices():
    """MiniLM, rank 16, all linear layers: 16 x 6 x (8 x 384 + 3 x (384 + 1536)) fp32 weights at most."""
    found = estimate(spec(), SPACE, MINILM, data(), CPU, 1e11)
    assert found.adapter_mb == pytest.approx(16 * 6 * (8 * 384 + 3 * (384 + 1536)) * 4 / 1e6, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 100), st.integers(20, 50_000), st.sampled_from(["classification", "sft", "preference"]))
def test_more_work_never_takes_less_time(trials, rows, task):
    """Time grows with trials and rows, P90 is above P50, and twice the speed is never slower."""

    def seconds(n_trials, n_rows, flops=1e11):
        return estimate(spec(task, budget={"trials": n_trials}), SPACE, MINILM, data(task, n_rows), CPU, flops)

    found = seconds(trials, rows)
    assert found.seconds_p50 <= found.seconds_p90
    assert found.seconds_p50 <= seconds(trials + 1, rows).seconds_p50
    assert found.seconds_p50 <= seconds(trials, rows * 2).seconds_p50
    assert found.seconds_p50 >= seconds(trials, rows, 2e11).seconds_p50


def test_full_fine_tuning_and_dpo_cost_what_the_model_says():
    """A LoRA step costs 2 F, full 3 F, DPO with LoRA 3 F on twice the sequences."""

    def train_seconds(**changes):
        task = changes.pop("task", "classification")
        many, none = data(task, 32_000), data(task, 0)
        flops, config = 1e9, SPACE.default()
        whole = trial_cost(spec(task, **changes), config, MINILM, many, CPU, flops).seconds
        return whole - trial_cost(spec(task, **changes), config, MINILM, none, CPU, flops).seconds

    lora = train_seconds()
    assert train_seconds(adapter="full") == pytest.approx(1.5 * lora, rel=0.01)
    assert train_seconds(task="preference") == pytest.approx(3 * train_seconds(task="sft"), rel=0.01)


def test_time_limit_caps_the_study_and_llm_tokens_are_bounded():
    """A limit of 60 s is never estimated above 60 s; 30 trials with an LLM take at most 30,000 tokens."""
    found = estimate(spec(budget={"trials": 30, "seconds": 60}), SPACE, MINILM, data(), CPU, 1e9, llm="openai:x")
    assert found.seconds_p50 == found.seconds_p90 == 60
    assert (found.llm_tokens, found.llm_usd) == (30_000, None)
    assert estimate(spec(), SPACE, MINILM, data(), CPU, 1e9).llm_usd == 0.0


def test_unknown_size_gives_no_number():
    """Without the model's size nothing is made up."""
    found = estimate(spec(), SPACE, MINILM.model_copy(update={"parameters": None}), data(), CPU, 1e9)
    assert found.seconds_p50 is None
    assert "not known" in found.basis


def test_probe_is_kept_and_a_broken_cache_is_survived(tmp_path):
    """The best rate seen is kept; a damaged or absurd file only costs a new measurement."""
    first = training_flops(CPU, tmp_path)
    file = next(tmp_path.iterdir())
    file.write_text(json.dumps({"flops_per_second": 9e14}))
    assert training_flops(CPU, tmp_path) == pytest.approx(0.8 * 9e14)
    for broken in ("{", '{"flops_per_second": "x"}', '{"flops_per_second": 1e30}', "[]"):
        file.write_text(broken)
        assert 0 < training_flops(CPU, tmp_path) < 1e14
    assert first > 0
    (tmp_path / "file").write_text("")
    assert training_flops(CPU, tmp_path / "file" / "below") > 0


def test_probe_measures_something_plausible():
    """Any CPU of the last ten years multiplies matrices at 1 GFLOP/s to 100 TFLOP/s."""
    assert 1e9 < matmul_flops(size=256, seconds=0.02) < 1e14


def test_known_gpus_use_their_data_sheet(tmp_path):
    """A GPU is not probed at plan time: its data-sheet peak times an assumed share."""
    assert training_flops(H200, tmp_path) == pytest.approx(0.25 * 989e12)
    assert not list(tmp_path.iterdir())
