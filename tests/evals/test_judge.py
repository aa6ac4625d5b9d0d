"""Judging live models: against transformers' own loss, one-by-one generation and manual log-probabilities."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from evals.batching import in_batches
from evals.generate import generate_texts
from evals.judge import evaluate
from evals.metrics import score
from evals.spec import EvalSpec
from trainers.errors import AttemptFailed, InputError
from trainers.spec import FailureReason, Metric, Task

Make = Callable[..., Any]
SpecOf = Callable[..., EvalSpec]

LABELS = ("re", "json", "http")
LABELLED = [
    {"text": "the cat sat on the mat", "label": 0},
    {"text": "read", "label": 2},
    {"text": "write the number of bytes from the socket", "label": 1},
    {"text": "dog sat", "label": 0},
    {"text": "file returns bytes when read", "label": 2},
]
COMPLETIONS = [
    {"prompt": "the cat", "completion": "sat on the mat"},
    {"prompt": "read", "completion": "file"},
    {"prompt": "write the number of bytes", "completion": "from socket when file returns"},
    {"prompt": "dog", "completion": "returns bytes"},
]
PAIRS = [
    {"prompt": "the cat", "chosen": "sat on the mat", "rejected": "mat"},
    {"prompt": "read the", "chosen": "file", "rejected": "from from socket when"},
    {"prompt": "number", "chosen": "of bytes", "rejected": "of bytes"},
]


def with_adapter(model: Any, target: str) -> Any:
    """`model` with a LoRA adapter that changes its output."""
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=[target], init_lora_weights=False))
    for name, parameter in adapted.named_parameters():
        if "lora" in name:
            torch.nn.init.normal_(parameter, 0, 0.3)
    return adapted


def test_classification_equals_one_forward_pass_a_row(classifier: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """Batched, sorted and padded, each row gets the class and the loss that it gets alone, in file order."""
    model = classifier().eval()
    result = evaluate(model, tokenizer, spec_of(Task.CLASSIFICATION, Metric.EVAL_LOSS, LABELLED, labels=LABELS))
    for row, item in zip(LABELLED, result.items, strict=True):
        alone = tokenizer(row["text"], return_tensors="pt")
        out = model(alone["input_ids"], attention_mask=alone["attention_mask"], labels=torch.tensor([row["label"]]))
        assert item.reference == LABELS[row["label"]]
        assert item.prediction == LABELS[int(out.logits.argmax())]
        assert item.value == pytest.approx(float(out.loss.detach()), abs=1e-5)
    assert result.score == pytest.approx(score(Metric.EVAL_LOSS, result.items))
    assert set(result.others) == {"accuracy", "f1_macro", "f1_weighted"}


def test_classification_metric_and_others_are_of_the_same_predictions(
    classifier: Make, tokenizer: Any, spec_of: SpecOf
) -> None:
    """Choosing another metric moves scores between `score` and `others` and changes none."""
    model = classifier(1)
    f1 = evaluate(model, tokenizer, spec_of(Task.CLASSIFICATION, Metric.F1_MACRO, LABELLED, labels=LABELS))
    loss = evaluate(model, tokenizer, spec_of(Task.CLASSIFICATION, Metric.EVAL_LOSS, LABELLED, labels=LABELS))
    assert f1.score == loss.others["f1_macro"]
    assert f1.others["eval_loss"] == pytest.approx(loss.score)
    assert f1.score == pytest.approx(score(Metric.F1_MACRO, f1.items))


def test_training_mode_is_put_back_and_dropout_is_off(classifier: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """A model in training mode is judged without dropout, twice alike, and stays in training mode without gradients."""
    model = classifier().train()
    spec = spec_of(Task.CLASSIFICATION, Metric.EVAL_LOSS, LABELLED, labels=LABELS)
    assert evaluate(model, tokenizer, spec).items == evaluate(model, tokenizer, spec).items
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_long_texts_are_cut(classifier: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """A text longer than max_seq_length is judged by its beginning, not refused."""
    rows = [{"text": "the cat " * 200, "label": 0}, {"text": "the cat the cat", "label": 0}]
    spec = spec_of(Task.CLASSIFICATION, Metric.EVAL_LOSS, rows, labels=LABELS, max_seq_length=4)
    first, second = evaluate(classifier(), tokenizer, spec).items
    assert first.value == pytest.approx(second.value, abs=1e-6)


def test_sft_loss_equals_the_models_own(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """eval_loss is transformers' loss over completion tokens, end token included, prompt and padding excluded."""
    model = language_model()
    result = evaluate(model, tokenizer, spec_of(Task.SFT, Metric.EVAL_LOSS, COMPLETIONS))
    nats = tokens = 0.0
    for row, item in zip(COMPLETIONS, result.items, strict=True):
        prompt = tokenizer(row["prompt"])["input_ids"]
        completion = [*tokenizer(row["completion"])["input_ids"], tokenizer.eos_token_id]
        ids = torch.tensor([prompt + completion])
        labels = torch.tensor([[-100] * len(prompt) + completion])
        own = float(model(ids, labels=labels).loss.detach())
        assert item.value == pytest.approx(own, abs=1e-5)
        assert item.weight == len(completion)
        nats, tokens = nats + own * len(completion), tokens + len(completion)
    assert result.score == pytest.approx(nats / tokens, abs=1e-5)
    assert result.others["perplexity"] == pytest.approx(math.exp(result.score))
    assert 0 <= result.others["accuracy"] <= 1


def test_token_accuracy_counts_first_choices(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """A completion that the model itself writes greedily has token accuracy 1."""
    model = language_model(4)
    prompts = ["the cat", "read the file", "dog"]
    ids = [tokenizer(p, return_tensors="pt")["input_ids"] for p in prompts]
    own = [model.generate(i, max_new_tokens=5, do_sample=False, eos_token_id=None)[0, i.shape[1] :] for i in ids]
    rows = [
        {"prompt": p, "completion": " ".join(tokenizer.convert_ids_to_tokens(o))}
        for p, o in zip(prompts, own, strict=True)
    ]
    clean = [row for row in rows if "<" not in row["completion"]]
    assert clean, "the random model must write at least one plain text"
    result = evaluate(model, tokenizer, spec_of(Task.SFT, Metric.ACCURACY, clean))
    for item in result.items:
        assert item.value >= 5 / 6  # all five words; the end token is the model's choice only by chance
        assert item.weight == 6


def test_rows_without_a_target_in_reach_are_counted(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """A prompt that fills the whole length leaves nothing to score; if all do, the message says what to change."""
    rows = [{"prompt": "cat " * 40, "completion": "dog"}, COMPLETIONS[0]]
    result = evaluate(language_model(), tokenizer, spec_of(Task.SFT, Metric.EVAL_LOSS, rows))
    assert len(result.items) == 1
    assert result.others["rows_without_target"] == 1
    with pytest.raises(AttemptFailed, match="max_seq_length"):
        evaluate(language_model(), tokenizer, spec_of(Task.SFT, Metric.EVAL_LOSS, rows[:1]))


def test_batched_generation_equals_one_by_one(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """Left padding and sorting change no generated text."""
    model = language_model()
    spec = spec_of(Task.SFT, Metric.EXACT_MATCH, COMPLETIONS, max_new_tokens=8)
    together = evaluate(model, tokenizer, spec)
    assert [item.prediction for item in together.items] == [
        generate_texts(model, tokenizer, [row["prompt"]], max_new_tokens=8, batch_size=1)[0] for row in COMPLETIONS
    ]
    for row, item in zip(COMPLETIONS, together.items, strict=True):
        ids = tokenizer(row["prompt"], return_tensors="pt")["input_ids"]
        plain = model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        assert item.prediction == tokenizer.decode(plain, skip_special_tokens=True).strip()
        assert item.reference == row["completion"]
    assert set(together.others) == {"rouge_l", "bleu"}


def test_generation_ignores_sampling_settings_of_the_model(language_model: Make, tokenizer: Any) -> None:
    """A model shipped with sampling and a repetition penalty is still decoded greedily."""
    model = language_model(2)
    plain = generate_texts(model, tokenizer, ["the cat", "dog"], max_new_tokens=12)
    model.generation_config.do_sample = True
    model.generation_config.temperature = 5.0
    model.generation_config.repetition_penalty = 3.0
    assert generate_texts(model, tokenizer, ["the cat", "dog"], max_new_tokens=12) == plain


def test_generation_of_whole_texts_is_refused(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """Rows without a prompt cannot be generated from; the message names metrics that work."""
    with pytest.raises(InputError, match="whole texts") as caught:
        evaluate(language_model(), tokenizer, spec_of(Task.SFT, Metric.BLEU, [{"text": "the cat sat"}]))
    assert "eval_loss" in caught.value.hint


def log_probability(model: Any, tokenizer: Any, prompt: str, answer: str) -> float:
    before = tokenizer(prompt)["input_ids"]
    after = [*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        logs = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
    return sum(float(logs[len(before) + i - 1, token]) for i, token in enumerate(after))


def test_preference_margin_equals_manual_log_ratios(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """The margin is the chosen's log-ratio minus the rejected's; the reference is the model with its adapter off."""
    base, adapted = language_model(), with_adapter(language_model(), "q_proj")
    result = evaluate(adapted, tokenizer, spec_of(Task.PREFERENCE, Metric.REWARD_ACCURACY, PAIRS))
    for row, item in zip(PAIRS, result.items, strict=True):
        ratios = [
            log_probability(adapted, tokenizer, row["prompt"], row[side])
            - log_probability(base, tokenizer, row["prompt"], row[side])
            for side in ("chosen", "rejected")
        ]
        assert item.margin == pytest.approx(ratios[0] - ratios[1], abs=1e-4)
    assert result.items[2].value == 0.5, "equal answers are a tie"
    assert result.items[2].prediction == "tie"
    assert result.items[0].value in (0.0, 1.0)


def test_given_reference_equals_adapters_off(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """Handing in the base model as the reference gives the same margins as switching the adapter off."""
    adapted = with_adapter(language_model(), "q_proj")
    spec = spec_of(Task.PREFERENCE, Metric.EVAL_LOSS, PAIRS)
    off, given = (evaluate(adapted, tokenizer, spec, reference) for reference in (None, language_model()))
    for a, b in zip(off.items, given.items, strict=True):
        assert a.margin == pytest.approx(b.margin, abs=1e-5)
        assert a.value == pytest.approx(math.log1p(math.exp(-0.1 * (a.margin or 0))), abs=1e-6)
    assert off.score == pytest.approx(given.score, abs=1e-6)


def test_adapters_are_on_again_after_judging(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """Taking the reference from the same model leaves its adapter active."""
    adapted = with_adapter(language_model(), "q_proj")
    ids = torch.tensor([[1, 5, 6]])
    before = adapted(ids).logits.detach()
    evaluate(adapted, tokenizer, spec_of(Task.PREFERENCE, Metric.REWARD_ACCURACY, PAIRS))
    assert torch.equal(adapted(ids).logits.detach(), before)


def test_preference_accuracy_is_per_token_and_needs_no_reference(
    language_model: Make, tokenizer: Any, spec_of: SpecOf
) -> None:
    """accuracy compares log-probabilities divided by answer length, and works for a model without adapters."""
    model = language_model(3)
    result = evaluate(model, tokenizer, spec_of(Task.PREFERENCE, Metric.ACCURACY, PAIRS))
    for row, item in zip(PAIRS[:2], result.items, strict=False):
        per_token = [
            log_probability(model, tokenizer, row["prompt"], row[side]) / (len(row[side].split()) + 1)
            for side in ("chosen", "rejected")
        ]
        assert item.value == float(per_token[0] > per_token[1])
        assert item.margin is None
    with pytest.raises(InputError, match="reference"):
        evaluate(model, tokenizer, spec_of(Task.PREFERENCE, Metric.REWARD_ACCURACY, PAIRS))


def test_a_diverged_classifier_fails_as_nan(classifier: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """NaN weights end in AttemptFailed(NAN), never in a score."""
    model = classifier()
    torch.nn.init.constant_(model.classifier.weight, math.nan)
    with pytest.raises(AttemptFailed) as caught:
        evaluate(model, tokenizer, spec_of(Task.CLASSIFICATION, Metric.F1_MACRO, LABELLED, labels=LABELS))
    assert caught.value.reason is FailureReason.NAN


def test_a_diverged_language_model_fails_as_nan(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """The same for likelihood metrics; the model's mode is put back all the same."""
    model = language_model().train()
    torch.nn.init.constant_(model.lm_head.weight, math.nan)
    with pytest.raises(AttemptFailed) as caught:
        evaluate(model, tokenizer, spec_of(Task.SFT, Metric.EVAL_LOSS, COMPLETIONS))
    assert caught.value.reason is FailureReason.NAN
    assert model.training


@pytest.mark.parametrize(
    ("task", "metric", "words"),
    [
        pytest.param(Task.PREFERENCE, Metric.WIN_RATE, "judge model", id="win rate"),
        pytest.param(Task.SFT, Metric.F1_MACRO, "no f1_macro", id="metric of another task"),
    ],
)
def test_metrics_that_cannot_be_measured_are_refused(
    language_model: Make, tokenizer: Any, spec_of: SpecOf, task: Task, metric: Metric, words: str
) -> None:
    """The message names the metric's rule and what to use instead."""
    with pytest.raises(InputError, match=words):
        evaluate(language_model(), tokenizer, spec_of(task, metric, PAIRS))


def test_a_batch_that_does_not_fit_is_halved() -> None:
    """Out of memory above two rows: the rest runs two at a time, in row order, and every row exactly once."""
    sizes = []

    def run(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [row * 10 for row in batch]

    assert in_batches([3, 9, 1, 7, 5], 5, run) == [0, 10, 20, 30, 40]
    assert sizes == [5, 2, 2, 1]


def test_a_row_that_does_not_fit_is_an_oom_failure() -> None:
    """A single row over memory ends as OOM_GPU."""

    def run(batch: list[int]) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(AttemptFailed) as caught:
        in_batches([5, 3], 2, run)
    assert caught.value.reason is FailureReason.OOM_GPU


def test_first_rows_only(classifier: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """max_rows scores the first rows; an empty file is refused."""
    spec = spec_of(Task.CLASSIFICATION, Metric.F1_MACRO, LABELLED, labels=LABELS, max_rows=2)
    assert [item.reference for item in evaluate(classifier(), tokenizer, spec).items] == ["re", "http"]
    with pytest.raises(InputError, match="must have rows"):
        evaluate(classifier(), tokenizer, spec_of(Task.CLASSIFICATION, Metric.F1_MACRO, [], labels=LABELS))


def test_chats_are_judged_on_the_assistants_turns(language_model: Make, tokenizer: Any, spec_of: SpecOf) -> None:
    """A chat is rendered by the template: loss on the assistant's turn, generation from what precedes it."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' %}read {{ m.content }} {% else %}write {{ m.content }}</s>"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}write {% endif %}"
    )
    chat = [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat on mat"}]
    model = language_model()
    loss = evaluate(model, tokenizer, spec_of(Task.SFT, Metric.EVAL_LOSS, [{"messages": chat}]))
    prompt = tokenizer("read the cat write")["input_ids"]
    answer = [*tokenizer("sat on mat")["input_ids"], tokenizer.eos_token_id]
    labels = torch.tensor([[-100] * len(prompt) + answer])
    with torch.no_grad():
        assert loss.score == pytest.approx(float(model(torch.tensor([prompt + answer]), labels=labels).loss), abs=1e-5)
    spec = spec_of(Task.SFT, Metric.EXACT_MATCH, [{"messages": chat}], max_new_tokens=4)
    item = evaluate(model, tokenizer, spec).items[0]
    assert item.reference == "sat on mat"
    assert item.prediction == generate_texts(model, tokenizer, ["read the cat write"], max_new_tokens=4)[0]
    with pytest.raises(InputError, match="assistant's turn"):
        evaluate(model, tokenizer, spec_of(Task.SFT, Metric.BLEU, [{"messages": chat[:1]}]))
