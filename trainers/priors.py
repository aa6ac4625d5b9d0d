"""Default search spaces, each range and default with its source, and what a user's `search` makes of them.

Sources: TML = "LoRA Without Regret" (Thinking Machines 2025); MSL = microsoft/LoRA example scripts for GLUE;
PEFT = peft method_comparison/MetaMathQA; TRL = trl 1.16 docs, paper index; HB = alignment-handbook recipes;
SimPO = princeton-nlp/SimPO README; Tulu3 = arXiv 2411.15124. Defaults are theirs, not tuned on our demo data.
Importable without torch.
"""

from trainers.embedded import TINY_CAUSAL
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Parameter, Space
from trainers.spec import Adapter, Loss, Scalar, Task, TaskSpec
from trainers.user_search import apply_search

SMALL_DATA, LARGE_DATA = 10_000, 50_000
"""Rows below which smaller ranks suffice (TML: capacity), and above which one epoch is the rule."""


def default_space(
    spec: TaskSpec,
    *,
    hidden_size: int | None,
    parameters: int | None,
    n_train_rows: int,
    embedded: bool = False,
) -> Space:
    """The space a study of `spec` searches.

    `hidden_size` and `parameters` (None: unknown) of the base move the learning-rate prior, `n_train_rows` the epochs
    and ranks; `embedded` keeps trials short enough for a laptop. A value in `spec.search` fixes or narrows its
    parameter. Raises InputError("search.NAME", ...) for a value that cannot be trained with, or that this task,
    adapter or loss does not have.
    """
    build = {Task.CLASSIFICATION: _classification, Task.SFT: _sft, Task.PREFERENCE: _preference}[spec.task]
    named = build(spec, hidden_size, parameters, n_train_rows, embedded)
    if spec.adapter is Adapter.FULL:
        named = {name: p for name, p in named.items() if not name.startswith("lora_") and name != "target_modules"}
    return Space(parameters=apply_search(spec, named))


def _classification(
    spec: TaskSpec, hidden: int | None, parameters: int | None, n_rows: int, embedded: bool
) -> dict[str, Parameter]:
    full = spec.adapter is Adapter.FULL
    return {
        # MSL: 5e-4 for roberta-base, 3e-4 for large; decoders 1e-4 to 5e-4. Full: BERT paper, 2e-5 to 5e-5
        "learning_rate": _log(5e-6, 2e-4, 3e-5) if full else _log(3e-5, 3e-3, _classifier_rate(parameters)),
        "lora_rank": _choices(8, 4, 8, 16, 32),  # MSL: 8, 16 for the largest
        "lora_alpha": _fixed(16),  # MSL: 16 with rank 8; under Adam alpha is a second learning rate, so not searched
        "lora_dropout": _choices(0.1, 0.0, 0.1),  # MSL: 0.1
        "target_modules": _choices("all-linear", "all-linear", "attention", "qv"),  # TML, PEFT: all layers; MSL: qv
        "batch_size": _choices(32, 16, 32, 64),  # MSL: 16 to 32 a device
        "epochs": _epochs(n_rows, embedded, default=3),  # transformers' num_train_epochs; MSL: 10 to 60 on GLUE
        "weight_decay": _choices(0.01, 0.0, 0.01, 0.1),  # MSL: 0.01 to 0.1
        "warmup_ratio": _fixed(0.06),  # MSL
        "scheduler": _choices("linear", "linear", "cosine"),  # MSL: linear
        "max_grad_norm": _fixed(1.0),  # transformers' default
        "head_lr_ratio": _choices(1, 1, 3, 10),  # MSL trains head and adapter at one rate
    }


def _sft(
    spec: TaskSpec, hidden: int | None, parameters: int | None, n_rows: int, embedded: bool
) -> dict[str, Parameter]:
    full = spec.adapter is Adapter.FULL
    centre = sft_learning_rate(hidden, parameters, spec.base_model)
    return {
        # TML: full fine-tuning wants about a tenth of LoRA's rate
        "learning_rate": _log(1e-6, 3e-4, centre / 10) if full else _log(1e-5, 3e-3, centre),
        "lora_rank": _choices(16, 4, 8, 16, 32) if n_rows < SMALL_DATA else _choices(16, 8, 16, 32, 64),  # TML
        "lora_alpha": _fixed(32),  # TML: constant; under Adam a second learning rate, so not searched
        "lora_dropout": _choices(0.05 if n_rows < SMALL_DATA else 0.0, 0.0, 0.05, 0.1),  # QLoRA, arXiv 2305.14314
        "target_modules": _choices("all-linear", "all-linear", "mlp"),  # TML, PEFT: attention only loses
        "batch_size": _choices(16, 8, 16, 32),  # TML: LoRA loses at large batches; TRL docs: below 32
        "epochs": _epochs(n_rows, embedded, default=2),
        "weight_decay": _choices(0.0, 0.0, 0.01),  # axolotl warns above 0.1
        "warmup_ratio": _fixed(0.03),  # QLoRA, arXiv 2305.14314, table 9
        "scheduler": _choices("cosine", "cosine", "linear", "constant"),  # HB: cosine; QLoRA: constant
        "max_grad_norm": _fixed(1.0),
    }


def _preference(
    spec: TaskSpec, hidden: int | None, parameters: int | None, n_rows: int, embedded: bool
) -> dict[str, Parameter]:
    loss = Loss(spec.loss or Loss.SIGMOID)
    full = spec.adapter is Adapter.FULL
    # the model made on the spot starts from random weights, which take larger steps
    lora = (
        _log(1e-5, 5e-3, 1e-3) if spec.base_model == TINY_CAUSAL else _log(5e-7, 1e-4, 5e-6)
    )  # TRL's LoRA table, HB zephyr-qlora: 5e-6
    named: dict[str, Parameter] = {
        "learning_rate": _log(1e-7, 1e-5, 5e-7) if full else lora,  # full: HB zephyr, SimPO 3e-7 to 7e-7
        "lora_rank": _choices(16, 8, 16, 32, 64),
        "lora_alpha": _fixed(32),  # as in SFT
        "lora_dropout": _fixed(0.0),  # TRL turns all dropout off
        "target_modules": _choices("all-linear", "all-linear", "mlp"),
        "batch_size": _choices(16, 8, 16, 32) if n_rows < SMALL_DATA else _choices(32, 16, 32, 64),  # HB: 128 full
        "epochs": _epochs(n_rows, embedded, default=1),  # HB, Tulu3: 1
        "weight_decay": _fixed(0.0),
        "warmup_ratio": _fixed(0.1),  # HB, Tulu3
        "scheduler": _choices("cosine", "cosine", "linear"),  # HB: cosine; Tulu3: linear
        "max_grad_norm": _fixed(1.0),
        "beta": BETA[loss],
    }
    if loss is Loss.SIMPO:
        named["simpo_gamma"] = FloatParameter(low=0.0, high=1.0, default=0.5)  # gamma/beta; SimPO: 0.3 to 0.6
    if loss is Loss.ROBUST:
        named["label_smoothing"] = FloatParameter(low=0.05, high=0.2, default=0.1)  # rDPO, arXiv 2403.00409
    return named


def sft_learning_rate(hidden_size: int | None, parameters: int | None, base_model: str = "") -> float:
    """Centre of the learning-rate prior of LoRA SFT.

    5e-4 x (2000 / H) ** p, p = 0.781 for Llama and 0.0775 for Qwen (tinker-cookbook hyperparam_utils.py); 2e-4 for
    other families (QLoRA, TRL); 1e-3 for models up to 360 M parameters of other families.
    """
    name = base_model.lower()
    if hidden_size and "qwen" in name:
        return float(5e-4 * (2000 / hidden_size) ** 0.0775)
    if hidden_size and "llama" in name:
        return float(min(5e-4 * (2000 / hidden_size) ** 0.781, 3e-3))
    return 1e-3 if parameters is not None and parameters <= 360_000_000 else 2e-4


def _classifier_rate(parameters: int | None) -> float:
    return 5e-4 if parameters is None or parameters <= 200_000_000 else 3e-4 if parameters <= 600_000_000 else 2e-4


def _log(low: float, high: float, default: float) -> FloatParameter:
    return FloatParameter(low=low, high=high, log=True, default=float(f"{min(max(default, low), high):.3g}"))


def _choices(default: Scalar, *choices: Scalar) -> CategoricalParameter:
    return CategoricalParameter(choices=choices, default=default)


def _fixed(value: Scalar) -> CategoricalParameter:
    return CategoricalParameter(choices=(value,), default=value)


def _epochs(n_rows: int, embedded: bool, default: int) -> IntParameter:
    """Few passes where there is much data or little time: a trial's cost grows with both."""
    high = 3 if embedded else 1 if n_rows > LARGE_DATA else 3 if n_rows > SMALL_DATA else 5
    return IntParameter(low=1, high=high, default=min(default, high, 2) if embedded else min(default, high))


BETA: dict[Loss, Parameter] = {
    Loss.SIGMOID: _log(0.005, 0.5, 0.1),  # DPO paper 0.1; SimPO's DPO runs 0.01; SmolLM2 0.5
    Loss.SIGMOID_NORM: _log(1.0, 20.0, 5.0),  # Tulu3, OLMo 2: 5 on length-normalised scores
    Loss.IPO: _log(0.01, 1.0, 0.1),  # tau; HB scan
    Loss.SIMPO: _log(1.0, 10.0, 2.5),  # SimPO: 2 to 10
    Loss.KTO: _log(0.01, 0.5, 0.1),  # KTO, arXiv 2402.01306
    Loss.ROBUST: _log(0.01, 0.5, 0.1),  # rDPO
    Loss.APO_ZERO: _log(0.05, 0.2, 0.1),  # APO, arXiv 2408.06266: 0.1
    Loss.HINGE: _log(0.05, 2.0, 1.0),  # SLiC, arXiv 2305.10425: margin 1, beta = 1 / margin
}
"""Prior of beta by loss: its scale differs by two orders of magnitude between losses."""
