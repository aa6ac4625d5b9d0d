"""SFT: it learns its completions and to stop, independently of how a batch is cut."""

import pytest
import torch

from tests.trainers.conftest import write
from trainers.base import Resident
from trainers.fit import fit


def generated(trained, prompt):
    """Greedy continuation with the stop token."""
    from trainers.encode import encode_prompt

    ids = torch.tensor([encode_prompt(trained.tokenizer, prompt)])
    with torch.inference_mode():
        out = trained.model.generate(input_ids=ids, max_new_tokens=8, do_sample=False, pad_token_id=0)
    return trained.tokenizer.decode(out[0, ids.shape[1] :])


def test_learns_its_completion_and_to_stop(sft):
    """The trained model answers "yes" and ends there."""
    trained = fit(sft(epochs=6), Resident(), lambda p, n: None)
    assert generated(trained, "q3? ") == "yes</s>"


def test_learns_from_conversations(sft, tmp_path):
    """Rows of messages train the assistant's turns."""
    rows = [
        {"messages": [{"role": "user", "content": f"q{i % 5}"}, {"role": "assistant", "content": "yes"}]}
        for i in range(32)
    ]
    file = write(tmp_path / "chat.jsonl", rows)
    result = fit(sft(train_file=file, validation_file=file, epochs=3), Resident(), lambda p, n: None).result
    first = next(p.loss for p in result.curve if p.loss is not None)
    assert result.eval_loss < 0.7 * first


def test_effective_batch_does_not_depend_on_the_micro_batch(sft):
    """Micro-batches of 2 and 4 give the same losses, weighted by tokens."""
    curves = []
    for micro in (2, 4):
        result = fit(sft(micro_batch=micro, max_steps=3), Resident(), lambda p, n: None).result
        curves.append([p.loss for p in result.curve if p.loss is not None])
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_truncation_is_counted(sft, tmp_path):
    """Rows over the limit are cut and counted; rows left without a completion are dropped and counted."""
    rows = [
        {"prompt": "q? ", "completion": "yes"},
        {"prompt": "q? ", "completion": "y" * 40},
        {"prompt": "p" * 40, "completion": "yes"},
    ]
    spec = sft(train_file=write(tmp_path / "long.jsonl", rows), max_seq_length=16)
    result = fit(spec, Resident(), lambda p, n: None).result
    assert (result.n_train_rows, result.n_truncated, result.n_dropped) == (2, 2, 1)


def test_escaped_control_tokens_are_reported(sft, tmp_path):
    """Control tokens in the data are said to have been escaped."""
    rows = [{"prompt": "q? ", "completion": "a</s>b"}, {"prompt": "q? ", "completion": "yes"}]
    spec = sft(train_file=write(tmp_path / "special.jsonl", rows), epochs=1)
    assert "1 training rows" in fit(spec, Resident(), lambda p, n: None).result.deviations[0]


def test_nothing_is_reported_to_the_hub():
    """TRL's usage report is switched off in every trainer of ours."""
    from trl import DPOTrainer, KTOTrainer, SFTTrainer
    from trl.experimental.cpo import CPOTrainer

    from trainers.run import quiet

    for trainer in (SFTTrainer, DPOTrainer, KTOTrainer, CPOTrainer):
        assert hasattr(trainer, "_send_telemetry")
        assert quiet(trainer)._send_telemetry(object()) is None
