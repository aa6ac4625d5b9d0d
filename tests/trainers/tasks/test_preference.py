"""Preference tuning: every loss moves the policy the right way, from the right reference."""

import math

import pytest
import torch

from trainers.base import Resident
from trainers.errors import AttemptFailed
from trainers.fit import fit
from trainers.spec import Loss
from trainers.tasks.preference import single_answers

BETA = {"sigmoid_norm": 5.0, "simpo": 2.5, "hinge": 1.0}


def margin(model, tokenizer):
    """Log-probability of "yes" minus that of "no no" after a prompt."""
    from trainers.encode import encode_pair

    sums = []
    for answer in ("yes", "no no"):
        prompt, rest = encode_pair(tokenizer, "q1? ", answer)
        ids = torch.tensor([prompt + rest])
        with torch.inference_mode():
            logps = model(input_ids=ids).logits[0].log_softmax(-1)
        sums.append(sum(float(logps[len(prompt) + i - 1, token]) for i, token in enumerate(rest)))
    return sums[0] - sums[1]


@pytest.mark.parametrize("loss", list(Loss))
def test_every_loss_prefers_the_chosen_answer(preference, loss):
    """The margin of the wanted answer over the unwanted one grows against the untrained model."""
    trained = fit(preference(loss=loss, beta=BETA.get(loss, 0.1), epochs=1), Resident(), lambda p, n: None)
    after = margin(trained.model, trained.tokenizer)
    with trained.model.disable_adapter():
        before = margin(trained.model, trained.tokenizer)
    assert after > before + 0.5
    assert trained.result.n_train_rows == 32


def test_reference_is_the_base_with_the_adapter_off(preference):
    """Before the first update policy and reference agree: the sigmoid loss is ln 2."""
    trained = fit(preference(), Resident(), lambda p, n: None)
    assert trained.result.curve[0].loss == pytest.approx(math.log(2), abs=1e-5)
    assert trained.reference is None


@pytest.mark.parametrize("loss", ["sigmoid", "kto"])
def test_full_fine_tuning_keeps_an_untrained_reference(preference, loss):
    """Tuning all weights compares with a frozen copy of the base."""
    trained = fit(preference(adapter="full", loss=loss, epochs=1, learning_rate=1e-3), Resident(), lambda p, n: None)
    assert margin(trained.model, trained.tokenizer) > margin(trained.reference, trained.tokenizer)


def test_effective_batch_does_not_depend_on_the_micro_batch(preference):
    """Micro-batches of 2 and 4 pairs give the same losses."""
    curves = []
    for micro in (2, 4):
        result = fit(preference(micro_batch=micro, max_steps=3), Resident(), lambda p, n: None).result
        curves.append([p.loss for p in result.curve if p.loss is not None])
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_pairs_become_single_answers_with_mismatched_ones():
    """KTO's rows: both answers of each pair, and the KL answers of a batch are its own answers moved on by one."""
    pairs = tuple({"prompt_ids": [i], "chosen_ids": [10 + i], "rejected_ids": [20 + i]} for i in range(4))
    rows = single_answers(pairs, per_device=4, seed=0)
    assert sum(row["label"] for row in rows) == 4
    for start in (0, 4):
        batch = rows[start : start + 4]
        assert [r["KL_completion_ids"] for r in batch] == [batch[i - 1]["completion_ids"] for i in range(4)]
        assert all(r["KL_completion_ids"] != r["completion_ids"] for r in batch)


def test_kto_refuses_a_batch_of_one(preference):
    """A per-device batch of one answer has no mismatched answer."""
    with pytest.raises(AttemptFailed, match="at least 2"):
        fit(preference(loss="kto", batch_size=1), Resident(), lambda p, n: None)
