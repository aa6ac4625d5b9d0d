"""Classification: it learns, weighs classes, and does not depend on how a batch is cut."""

import pytest
import torch

from trainers.adapters import head_modules
from trainers.base import Resident
from trainers.fit import fit
from trainers.tasks.classification import optimizer, padder, weighted_loss


def accuracy(trained, rows):
    """Share of rows whose largest logit is their label."""
    batch = trained.tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True)
    with torch.inference_mode():
        guesses = trained.model(**batch).logits.argmax(-1).tolist()
    return sum(g == row["label"] for g, row in zip(guesses, rows, strict=True)) / len(rows)


def test_learns_a_separable_task(classification):
    """Fruit and car parts are told apart after two passes, and the curve shows it."""
    from tests.trainers.conftest import fruit_or_car

    trained = fit(classification(), Resident(), lambda point, total: None)
    assert accuracy(trained, fruit_or_car(30, seed=5)) == 1.0
    losses = [p.loss for p in trained.result.curve if p.loss is not None]
    assert losses[-1] < 0.5 * losses[0]
    assert trained.result.eval_loss < 0.3
    assert trained.result.steps == 12
    assert trained.result.trainable_parameters < 10_000


@pytest.mark.parametrize("adapter", ["rslora", "dora", "full"])
def test_learns_with_every_adapter(classification, adapter):
    """rsLoRA, DoRA and full fine-tuning reach a low validation loss too."""
    trained = fit(classification(adapter=adapter), Resident(), lambda point, total: None)
    assert trained.result.eval_loss < 0.3


def test_bf16_on_the_cpu_learns(classification):
    """Autocast to bf16 keeps the adapter in fp32 and learns."""
    trained = fit(classification(precision="bf16"), Resident(), lambda point, total: None)
    assert trained.result.eval_loss < 0.3
    assert {p.dtype for p in trained.model.parameters()} == {torch.float32}


def test_decoder_gets_a_padding_token(classification, llama):
    """A decoder classifier reads the last real token: padding does not change its logits."""
    spec = classification(base_path=str(llama), max_seq_length=48)
    trained = fit(spec, Resident(), lambda point, total: None)
    assert trained.model.config.pad_token_id == trained.tokenizer.pad_token_id
    texts = ["apple pear", "engine"]
    with torch.inference_mode():
        together = trained.model(**trained.tokenizer(texts, return_tensors="pt", padding=True)).logits[1]
        alone = trained.model(**trained.tokenizer(texts[1:], return_tensors="pt")).logits[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weights", [(), (1.0, 3.0)])
def test_effective_batch_does_not_depend_on_the_micro_batch(classification, weights):
    """Micro-batches of 2 and 4 give the same losses (section 2, "loss depends on micro-batch")."""
    curves = []
    for micro in (2, 4):
        spec = classification(micro_batch=micro, class_weights=weights, max_steps=3)
        result = fit(spec, Resident(), lambda p, n: None).result
        assert result.micro_batch * result.gradient_accumulation == 8
        curves.append([p.loss for p in result.curve if p.loss is not None])
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_class_weights_weigh_rows():
    """The weighted loss is the mean over rows of weight times cross entropy."""
    logits, labels = torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1])
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    expected = (1.0 * each[0] + 4.0 * each[1]) / 2
    torch.testing.assert_close(weighted_loss((1.0, 4.0))({"logits": logits}, labels), expected)


def test_head_learns_at_its_own_rate(classification):
    """head_lr_ratio multiplies the rate of the head's parameters and of no other."""
    from peft import get_peft_model

    from trainers.adapters import lora_config

    spec = classification(head_lr_ratio=10, learning_rate=1e-3, weight_decay=0.1)
    loaded = Resident().load(spec)
    assert head_modules(loaded) == ["classifier"]
    model = get_peft_model(loaded.model, lora_config(spec, loaded))
    groups = optimizer(model, spec, head_modules(loaded)).param_groups
    assert sorted({group["lr"] for group in groups}) == [1e-3, 1e-2]
    head = sum(p.numel() for group in groups if group["lr"] == 1e-2 for p in group["params"])
    assert head == 32 * 2 + 2
    assert all(group["weight_decay"] == (0.1 if group["params"][0].ndim > 1 else 0.0) for group in groups)


def test_padder_masks_padding():
    """Shorter rows are filled with the padding token and masked out."""
    batch = padder(9)([{"input_ids": [1, 2, 3], "labels": 0}, {"input_ids": [4], "labels": 1}])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
