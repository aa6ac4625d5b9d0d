"""One base model in memory across attempts, given back to each attempt exactly as it was loaded.

Libraries leave traces on a model they train (docs/traps.md): wrapped forwards, hooks, zeroed
dropout, trained heads, changed configuration. `Resident.reset` removes them all, so that an attempt on a reused base
gives the same weights, bit for bit, as in a fresh process.
"""

import copy
import gc
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper

from trainers.data import TokenCache
from trainers.open_base import open_model, open_tokenizer
from trainers.spec import Adapter, TrainSpec

SLOTS = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
PLAIN = (bool, int, float, str, type(None))


@dataclass
class Loaded:
    """A base model ready for one attempt."""

    model: Any
    tokenizer: Any
    load_seconds: float
    """Time spent loading; 0.0 where the model was resident."""
    head: tuple[str, ...]
    """Names of the parameters that the checkpoint does not hold (a new classification head); trained in full."""


@dataclass
class _Pristine:
    modules: dict[str, dict[str, Any]]
    """Of each module its attributes, with copies of its dictionaries of hooks."""
    trainable: dict[str, bool]
    config: dict[str, Any]
    generation_config: dict[str, Any] | None
    tokenizer: dict[str, Any]
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    """Copies of the tensors an attempt may change in place: the new head, or all of them for full fine-tuning."""


class Resident:
    """Keeps one base model. Not thread-safe: one attempt at a time."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._loaded: Loaded | None = None
        self._pristine: _Pristine | None = None
        self.tokens = TokenCache()

    def load(self, spec: TrainSpec) -> Loaded:
        """The base model of `spec` in its original state; loads it unless it is the one in memory.

        Raises InputError("base_model", ...) where it cannot be opened.
        """
        key = _key(spec)
        if self._loaded is not None and key == self._key:
            self.reset()
            return Loaded(self._loaded.model, self._loaded.tokenizer, 0.0, self._loaded.head)
        if self._loaded is not None:
            self.drop()
        started = time.monotonic()
        tokenizer = open_tokenizer(spec.base_path, spec.revision)
        model, head = open_model(spec, tokenizer)
        self._pristine = _remember(model, tokenizer, everything=spec.adapter is Adapter.FULL, head=head)
        self._key, self._loaded = key, Loaded(model, tokenizer, time.monotonic() - started, head)
        gc.collect()
        gc.freeze()  # trainers collect garbage at every start: 0.6 s over all imported libraries, 0.02 s without them
        return self._loaded

    def reset(self) -> None:
        """Put the base back into the state it was loaded in. Cheap (milliseconds) except after full fine-tuning."""
        if self._loaded is None or self._pristine is None:
            return
        model = self._loaded.model
        _take_off_adapters(model)
        if any(getattr(module, "gradient_checkpointing", False) for module in model.modules()):
            model.gradient_checkpointing_disable()
        _restore(model, self._loaded.tokenizer, self._pristine)

    def drop(self) -> None:
        """Forget the model and free its memory."""
        self._key = self._loaded = self._pristine = None
        self.tokens.clear()
        gc.unfreeze()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def init_head(loaded: Loaded, seed: int) -> None:
    """Initialise the new head from `seed` alone, so that it does not depend on what ran in this process before."""
    if not loaded.head:
        return
    generator_state = torch.get_rng_state()
    torch.manual_seed(seed)
    for name, module in loaded.model.named_modules():
        if any(f"{name}.{leaf}" in loaded.head for leaf, _ in module.named_parameters(recurse=False)):
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False
            module._is_hf_initialized = False
            loaded.model._init_weights(module)
    torch.set_rng_state(generator_state)


def _key(spec: TrainSpec) -> tuple[object, ...]:
    special = spec.adapter if spec.adapter in (Adapter.FULL, Adapter.QLORA) else None
    return (spec.task, spec.base_path, spec.revision, spec.precision, spec.device, len(spec.labels), special)


def _remember(model: Any, tokenizer: Any, *, everything: bool, head: tuple[str, ...]) -> _Pristine:
    generation = getattr(model, "generation_config", None)
    return _Pristine(
        modules={name: _attributes(module) for name, module in model.named_modules()},
        trainable={name: parameter.requires_grad for name, parameter in model.named_parameters()},
        config=copy.deepcopy(vars(model.config)),
        generation_config=None if generation is None else copy.deepcopy(vars(generation)),
        tokenizer={"padding_side": tokenizer.padding_side, "truncation_side": tokenizer.truncation_side},
        weights={n: t.detach().clone() for n, t in model.state_dict().items() if everything or n in head},
    )


def _attributes(module: torch.nn.Module) -> dict[str, Any]:
    kept = {key: value for key, value in vars(module).items() if key not in SLOTS}
    return {key: dict(value) if "_hooks" in key else value for key, value in kept.items()}


def _restore(model: Any, tokenizer: Any, pristine: _Pristine) -> None:
    for name, module in model.named_modules():
        was, now = pristine.modules[name], vars(module)
        for key in now.keys() - was.keys() - SLOTS:
            del now[key]  # a patched forward, peft_config, TRL's tags
        for key, value in was.items():
            if "_hooks" in key:
                now[key].clear()
                now[key].update(value)
            elif isinstance(value, PLAIN):
                now[key] = value  # zeroed dropout among them
    _refill(vars(model.config), pristine.config)
    if pristine.generation_config is not None:
        _refill(vars(model.generation_config), pristine.generation_config)
    with torch.no_grad():
        state = model.state_dict()
        for name, tensor in pristine.weights.items():
            state[name].copy_(tensor)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(pristine.trainable[name])
        parameter.grad = None
    vars(tokenizer).update({k: v for k, v in pristine.tokenizer.items() if k in vars(tokenizer)})


def _refill(target: dict[str, Any], saved: dict[str, Any]) -> None:
    """Make `target` hold exactly `saved`, in place: submodules share the object."""
    target.clear()
    target.update(copy.deepcopy(saved))


def _take_off_adapters(model: Any) -> None:
    """Put every wrapped module's original back.

    PEFT's own `unload()` leaves the trained copy of a head in the base (docs/traps.md, 2), and there is no PeftModel to
    call it on when an attempt died half way through wrapping.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            original = module.get_base_layer()
        elif isinstance(module, AuxiliaryTrainingWrapper):
            original = module.original_module
        else:
            continue
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, original)
