"""A reused base gives what a fresh one gives, bit for bit; each trap that a library leaves behind is undone."""

import hashlib
import subprocess
import sys

import pytest
import torch

from trainers.base import Resident
from trainers.errors import AttemptFailed
from trainers.fit import fit
from trainers.spec import TrainResult


def quiet(point, total):
    """Ignore the curve."""


def losses(trained):
    """The training losses of a run, exact."""
    return [point.loss for point in trained.result.curve]


def weights(trained):
    """Copies of the trained tensors."""
    return {n: p.detach().clone() for n, p in trained.model.named_parameters() if p.requires_grad}


def digest(model):
    """Checksum of every tensor of a model."""
    state = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        state.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return state.hexdigest()


@pytest.mark.parametrize("task", ["classification", "sft", "preference"])
def test_reused_base_equals_a_fresh_one(request, task):
    """After different attempts on the same base, the same spec gives bit-equal curves and weights."""
    make = request.getfixturevalue(task)
    spec = make(lora_dropout=0.1, epochs=1)
    fresh = fit(spec, Resident(), quiet)
    expected, expected_weights = losses(fresh), weights(fresh)
    resident = Resident()
    fit(make(adapter="dora", lora_rank=2, epochs=1), resident, quiet)
    fit(make(lora_dropout=0.3, seed=9, target_modules="mlp", epochs=1), resident, quiet)
    again = fit(spec, resident, quiet)
    reused = weights(again)
    assert losses(again) == expected
    assert reused.keys() == expected_weights.keys()
    assert all(torch.equal(reused[name], expected_weights[name]) for name in reused)
    assert resident.load(spec).load_seconds == 0.0


@pytest.mark.parametrize("task", ["classification", "sft", "preference"])
def test_reset_leaves_no_trace(request, task):
    """Traps 5, 6, 8: forward, head, hooks, configuration and trainability are those of the loaded base."""
    spec = request.getfixturevalue(task)(max_steps=2)
    resident = Resident()
    base = resident.load(spec).model
    before = (digest(base), dict(vars(base.config)), list(vars(base)), [n for n, _ in base.named_modules()])
    fit(spec, resident, quiet)
    resident.reset()
    after = (digest(base), dict(vars(base.config)), list(vars(base)), [n for n, _ in base.named_modules()])
    assert after == before
    assert "forward" not in vars(base)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in base.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in base.parameters())


@pytest.mark.slow
def test_fresh_process_gives_the_same_curve(classification, tmp_path):
    """A new interpreter repeats a reused base's losses bit for bit."""
    spec = classification(lora_dropout=0.1)
    resident = Resident()
    fit(classification(seed=5), resident, quiet)
    expected = fit(spec, resident, quiet).result.curve
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from trainers.base import Resident; from trainers.fit import fit; from trainers.spec import TrainSpec\n"
        "spec = TrainSpec.model_validate_json(open(sys.argv[1]).read())\n"
        "print(fit(spec, Resident(), lambda p, n: None).result.model_dump_json())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "spec.json")]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert TrainResult.model_validate_json(out.splitlines()[-1]).curve == expected


def test_full_fine_tuning_is_undone(sft):
    """A base whose own weights were trained is restored bit for bit."""
    spec = sft(adapter="full", max_steps=2)
    resident = Resident()
    base = resident.load(spec).model
    before = digest(base)
    trained = fit(spec, resident, quiet)
    assert digest(trained.model) != before
    resident.reset()
    assert digest(base) == before


def test_dropout_comes_back_after_preference_tuning(preference, gpt2):
    """Trap 8b: DPO sets every dropout to 0; the reset restores it for the next attempt."""
    spec = preference(base_path=str(gpt2), max_steps=2)
    resident = Resident()
    base = resident.load(spec).model
    rates = [m.p for m in base.modules() if isinstance(m, torch.nn.Dropout)]
    assert max(rates) > 0
    fit(spec, resident, quiet)
    assert max(m.p for m in base.modules() if isinstance(m, torch.nn.Dropout)) == 0
    resident.reset()
    assert [m.p for m in base.modules() if isinstance(m, torch.nn.Dropout)] == rates


def test_gradient_checkpointing_is_turned_off(sft):
    """Trap 8: checkpointing and its input hooks do not survive into the next attempt."""
    spec = sft()
    resident = Resident()
    base = resident.load(spec).model
    base.gradient_checkpointing_enable()
    base.enable_input_require_grads()
    resident.reset()
    assert not any(getattr(m, "gradient_checkpointing", False) for m in base.modules())
    assert not base.get_input_embeddings()._forward_hooks


def test_a_failed_attempt_leaves_no_trace(sft):
    """An attempt that dies in the middle does not change the next one."""
    spec = sft(epochs=1)
    expected = losses(fit(spec, Resident(), quiet))
    resident = Resident()
    with pytest.raises(AttemptFailed, match="loss"):
        fit(sft(learning_rate=1e30, max_grad_norm=1e9), resident, quiet)
    assert losses(fit(spec, resident, quiet)) == expected


def test_head_depends_on_the_seed_only(classification):
    """The first loss repeats for a seed and differs between seeds, whatever random numbers were drawn before."""
    first = [losses(fit(classification(seed=s, max_steps=1), Resident(), quiet))[0] for s in (1, 2)]
    torch.rand(7)
    assert losses(fit(classification(seed=1, max_steps=1), Resident(), quiet))[0] == first[0]
    assert first[0] != first[1]


def test_other_base_replaces_the_resident_one(sft, gpt2):
    """A spec with another base loads it, and going back loads again."""
    resident = Resident()
    assert resident.load(sft()).load_seconds > 0
    assert type(resident.load(sft(base_path=str(gpt2))).model).__name__ == "GPT2LMHeadModel"
    assert resident.load(sft()).load_seconds > 0
