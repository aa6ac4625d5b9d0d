"""What a study will take: time, memory and adapter size from a model of the work and a short probe of the machine.

The compute model (F = one forward pass = 2 x weights that multiply x tokens) is the usual one; a LoRA step costs about
2 F, full fine-tuning 3 F, DPO with LoRA 3 F per sequence (the reference's forward comes on top). The constants below
say what they were fitted to. P50 is meant to be right within a factor of two; P90 is stated beside it.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from pydantic import Field

from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile
from tools.machine import Machine
from trainers.arguments import checkpointed
from trainers.space import Space
from trainers.spec import Adapter, Closed, Config, Metric, Task, TaskSpec
from trainers.tasks import TASKS

CONFIRM_SEEDS = 3
CONFIRMED_CONFIGS = 3
"""Two top configurations and the default, each on three fresh seeds."""

CPU_TRAINING_SHARE = {"bf16": 0.8, "fp32": 0.45}
"""Training throughput divided by numpy's fp32 matrix product on the same cores. Fitted to MiniLM with LoRA, batch 32,
64 tokens, two AVX512-BF16 cores (probe 235 GFLOP/s): 0.35 s a step in bf16 on idle cores and 0.6 s on shared ones,
0.7 s in fp32. One thread, CPU seconds of whole trials of 280, 100 and 100 rows (measured, estimated): classification
with MiniLM 5.0, 4.9; SFT and DPO of the embedded model 2.5, 2.1 and 7.1, 5.0."""

GPU_PEAK_TFLOPS = {
    "B200": 2250.0, "H200": 989.0, "H100": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "A10": 125.0,
    "RTX 4090": 165.0, "RTX 3090": 71.0, "T4": 65.0,
}  # fmt: skip
"""Dense 16-bit tensor peak from the makers' data sheets, by part of the device's name."""
GPU_PEAK_UNKNOWN_TFLOPS = 60.0
GPU_MODEL_FLOPS_UTILISATION = 0.25
"""Assumed share of peak in LoRA training of models up to a few billion weights; not measured here."""

P90_FACTOR = 1.7
"""P90 / P50: the same step took 0.35 s and 0.6 s on this project's machine, idle and shared."""
TRIAL_OVERHEAD_SECONDS = {"cpu": 1.0, "cuda": 2.0}
STEP_OVERHEAD_SECONDS = {"cpu": 0.01, "cuda": 0.02}
WORKER_START_SECONDS = 20.0
"""Importing torch, transformers and peft and loading the model, once a study (reference measurement: 22 s cold)."""
DECODE_COST = 6.0
"""Seconds per generated token over seconds per trained token's forward: decoding is bound by memory, not arithmetic."""
N_EVALUATIONS = 5
"""Validation passes a trial makes: four points of the curve and the score."""

ABSURD_FLOPS = 1e15
"""No CPU multiplies fp32 matrices this fast: a cache that says so is broken."""

LLM_TOKENS_PER_TRIAL, LLM_TOKENS_AT_LEAST = 1_000, 8_000
"""A batch of candidates takes 2,500 to 4,000 tokens and serves four trials; LLAMBO takes 23,000 for each."""

WEIGHT_BYTES = {"bf16": 2.0, "fp32": 4.0}
NF4_BYTES = 0.55
ADAPTER_BYTES = 4.0
"""Of a trained weight as it is saved: fp32."""
TRAINED_BYTES = 16.0
"""A trained weight: fp32 value, gradient and two Adam moments."""
ACTIVATION_BYTES = 34.0
"""Per layer, token and hidden unit at 16 bits, nothing recomputed (Korthikanti et al. 2022, equation 2, less the
attention matrix, which fused attention does not keep)."""
PROCESS_MB = {"cpu": 1000.0, "cuda": 1500.0}
"""Resident size of a worker before any model: libraries; on a GPU the CUDA context."""


class Estimate(Closed):
    """What carrying out the plan will take."""

    seconds_p50: float | None = Field(None, description="wall time of the whole study, search and confirmation")
    seconds_p90: float | None = None
    seconds_per_trial: float | None = None
    peak_memory_mb: float | None = Field(None, description="of the largest trial: GPU memory, or host memory on CPU")
    adapter_mb: float | None = Field(None, description="of the largest adapter in the space")
    llm_tokens: int = Field(0, description="upper bound of planner-LLM tokens")
    llm_usd: float | None = Field(None, description="upper bound of planner-LLM cost; None: price unknown")
    basis: str = Field("", description="how this was estimated")


class Cost(Closed):
    """What one trial takes."""

    seconds: float
    memory_mb: float
    adapter_mb: float


def estimate(
    spec: TaskSpec,
    space: Space,
    base: BaseModelFacts,
    data: DataProfile,
    machine: Machine,
    flops_per_second: float,
    *,
    llm: str = "embedded",
) -> Estimate:
    """The whole study: `budget.trials` search trials drawn from the space, then confirmation on fresh seeds.

    `flops_per_second` is what training achieves here (`training_flops`). Where the model's size is unknown there is
    no estimate of time and memory. A time budget caps the study's time.
    """
    tokens = 0 if llm == "embedded" else llm_token_limit(spec.budget.trials)
    usd = 0.0 if tokens == 0 else None
    if base.parameters is None:
        unknown = f"the size of {base.name} is not known, so neither is time"
        return Estimate(llm_tokens=tokens, llm_usd=usd, basis=unknown)
    rng = Random(0)
    configs = [space.default(), *(space.sample(rng) for _ in range(63))]
    sampled = [trial_cost(spec, config, base, data, machine, flops_per_second) for config in configs]
    mean_seconds = sum(c.seconds for c in sampled) / len(sampled)
    confirm = CONFIRM_SEEDS * min(CONFIRMED_CONFIGS, spec.budget.trials) * mean_seconds
    faster = trials_at_once(spec, machine) if machine.device == "cuda" else 1  # trials on one CPU share its cores
    p50 = WORKER_START_SECONDS + (spec.budget.trials * mean_seconds + confirm) / faster
    limit = spec.budget.seconds or float("inf")
    source = "measured probe" if machine.device == "cpu" else "assumed share of the device's peak"
    return Estimate(
        seconds_p50=round(min(p50, limit), 1),
        seconds_p90=round(min(p50 * P90_FACTOR, limit), 1),
        seconds_per_trial=round(mean_seconds, 1),
        peak_memory_mb=round(max(c.memory_mb for c in sampled)),
        adapter_mb=round(largest_adapter_mb(spec, space, base), 2),
        llm_tokens=tokens,
        llm_usd=usd,
        basis=f"{spec.budget.trials} trials and {confirm / mean_seconds if mean_seconds else 0:.0f} confirmation runs "
        f"at {flops_per_second / 1e9:,.0f} GFLOP/s ({source}, {machine.summary})",
    )


def trials_at_once(spec: TaskSpec, machine: Machine) -> int:
    """How many trials run side by side: as many as asked for, at most one a GPU."""
    n_slots = min(spec.budget.parallel_trials, spec.budget.trials)
    return min(n_slots, len(machine.gpus)) if machine.device == "cuda" else n_slots


def trial_cost(
    spec: TaskSpec,
    config: Config,
    base: BaseModelFacts,
    data: DataProfile,
    machine: Machine,
    flops_per_second: float,
    micro_batch: int = 8,
) -> Cost:
    """Time, memory and adapter size of one configuration. `base.parameters` must be known."""
    length = batch_length(data)
    task = TASKS[spec.task]
    forward = 2.0 * multiplying_weights(base, spec.task) * length * task.sequences  # per row
    rows = data.splits.train * float(config.get("epochs", 1))
    steps = rows / float(config.get("batch_size", 32))
    train = rows * forward * (_step_forwards(spec) + float(checkpointed(machine.device, base.parameters or 0)))
    models = 2 if spec.loss is not None and spec.loss.has_reference else 1
    validate = data.splits.validation * forward * N_EVALUATIONS * models
    if spec.objective.metric in (Metric.EXACT_MATCH, Metric.ROUGE_L, Metric.BLEU):
        validate += data.splits.validation * 128 * forward / length * DECODE_COST
    seconds = (train + validate) / flops_per_second
    seconds += TRIAL_OVERHEAD_SECONDS[machine.device] + steps * STEP_OVERHEAD_SECONDS[machine.device]
    rank = int(config.get("lora_rank", 16))
    trained = trained_weights(spec, base, rank)
    batch = min(micro_batch, int(config.get("batch_size", micro_batch))) * task.sequences
    memory = _memory_mb(spec, base, machine, trained, batch, data.lengths.max_seq_length)
    return Cost(seconds=seconds, memory_mb=memory, adapter_mb=trained * ADAPTER_BYTES / 1e6)


def batch_length(data: DataProfile) -> float:
    """Tokens a row of a batch takes with padding.

    Where the task groups rows of like length, about the mean (between P50 and P90); elsewhere a row is padded to the
    longest of its micro-batch of eight, about P90.
    """
    lengths = data.lengths
    tokens = (2 * lengths.p50 + lengths.p90) / 3 if TASKS[data.task].grouped else lengths.p90
    return float(max(1, min(lengths.max_seq_length, tokens)))


def multiplying_weights(base: BaseModelFacts, task: Task) -> float:
    """Weights that take part in a matrix product per token: an input embedding only looks rows up."""
    total = float(base.parameters or 0)
    table = float((base.vocab_size or 0) * (base.hidden_size or 0))
    tied = TASKS[task].language_model and base.tied_embeddings is not False  # the output layer multiplies by the table
    looked_up = 0.0 if tied else table
    return max(total - looked_up, 0.1 * total)


def trained_weights(spec: TaskSpec, base: BaseModelFacts, rank: int) -> int:
    """Weights of the adapter of this rank; of the whole model for full fine-tuning."""
    return base.parameters or 0 if spec.adapter is Adapter.FULL else adapter_weights(base, rank)


def adapter_weights(base: BaseModelFacts, rank: int) -> int:
    """LoRA weights on all linear layers: rank x (inputs + outputs) of four attention and two or three MLP matrices."""
    hidden, layers = base.hidden_size, base.n_layers
    if hidden is None or layers is None:
        return round(0.0005 * rank * (base.parameters or 0))  # about what the formula gives for 1-8 B models
    inner = base.intermediate_size or 4 * hidden
    return rank * layers * (8 * hidden + 3 * (hidden + inner))


def largest_adapter_mb(spec: TaskSpec, space: Space, base: BaseModelFacts) -> float:
    """Size on disk of the adapter with the highest rank in the space, or of the whole model for full fine-tuning."""
    rank = space.parameters.get("lora_rank")
    highest = 16 if rank is None else int(max(float(rank.at(0.0)), float(rank.at(1.0))))
    return trained_weights(spec, base, highest) * ADAPTER_BYTES / 1e6


def _step_forwards(spec: TaskSpec) -> float:
    """Forward passes that one training step costs, backward included."""
    forwards = 3.0 if spec.adapter is Adapter.FULL else 2.0
    if spec.loss is not None and spec.loss.has_reference:
        forwards += 1.0  # the reference model's forward
    slower = {Adapter.DORA: 1.26, Adapter.QLORA: 1.3}  # PEFT's MetaMathQA comparison for DoRA; unpacking nf4 for QLoRA
    return forwards * slower.get(spec.adapter, 1.0)


def _memory_mb(
    spec: TaskSpec, base: BaseModelFacts, machine: Machine, trained: int, sequences: int, length: int
) -> float:
    precision = WEIGHT_BYTES["fp32" if machine.device == "cpu" else machine.precision]  # autocast keeps fp32 weights
    weight = NF4_BYTES if spec.adapter is Adapter.QLORA and machine.device == "cuda" else precision
    tokens = sequences * length
    per_unit = ACTIVATION_BYTES * WEIGHT_BYTES[machine.precision] / 2
    layers = base.n_layers or 24
    per_token = layers * 2.0 + per_unit if checkpointed(machine.device, base.parameters or 0) else layers * per_unit
    activations = tokens * (base.hidden_size or 1024) * per_token
    logits = tokens * (base.vocab_size or 50_000) * 6.0 if TASKS[spec.task].language_model else 0.0
    total = (base.parameters or 0) * weight + trained * TRAINED_BYTES + activations + logits
    return total / 2**20 + PROCESS_MB[machine.device]


def llm_token_limit(trials: int) -> int:
    """What the planner LLM may use in a study of so many trials, prompts and replies together; enforced."""
    return max(LLM_TOKENS_AT_LEAST, LLM_TOKENS_PER_TRIAL * trials)


def training_flops(machine: Machine, cache: Path) -> float:
    """Floating-point operations a second that training achieves on this machine.

    GPU: data-sheet peak times an assumed utilisation. CPU: a matrix product is timed (0.1 s) and the best result kept
    in `cache`; the file may be deleted at any time.
    """
    if machine.device == "cuda":
        name = machine.gpus[0].name
        peak = next((tflops for part, tflops in GPU_PEAK_TFLOPS.items() if part in name), GPU_PEAK_UNKNOWN_TFLOPS)
        return peak * 1e12 * GPU_MODEL_FLOPS_UTILISATION
    return CPU_TRAINING_SHARE[machine.precision] * _best_matmul(cache, machine)


def matmul_flops(size: int = 768, seconds: float = 0.1) -> float:
    """Best fp32 matrix-product rate seen in about `seconds`, in operations a second."""
    import numpy as np

    left = np.random.default_rng(0).random((size, size), dtype=np.float32)
    best, until = 0.0, time.perf_counter() + seconds
    while True:
        started = time.perf_counter()
        left @ left
        ended = time.perf_counter()
        best = max(best, 2.0 * size**3 / max(ended - started, 1e-9))
        if ended > until:
            return best


def _best_matmul(cache: Path, machine: Machine) -> float:
    """The best rate ever measured with this many threads: a busy moment must not slow all later estimates.

    An unusable cache costs precision only.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    file = cache / f"matmul-{min(machine.cpu_cores, int(threads)) if threads.isdigit() else machine.cpu_cores}.json"
    remembered = 0.0
    with suppress(OSError, ValueError, KeyError, TypeError):
        remembered = float(json.loads(file.read_text(encoding="utf-8"))["flops_per_second"])
    best = max(matmul_flops(), remembered if remembered < ABSURD_FLOPS else 0.0)
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"flops_per_second": best}), encoding="utf-8")
    return best
