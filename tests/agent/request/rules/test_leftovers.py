"""Whatever a request names is read, asked about, refused or listed; nothing vanishes."""

import pytest

from agent.request.rules.leftovers import techniques
from agent.request.rules.reader import read_by_rules
from trainers.dotted import fields, flat
from trainers.spec import TaskSpec

LISTED = [
    ("classify intents.csv, keep the hardest half by EL2N", "EL2N"),
    ("classify intents.csv, try bf16 and fp32", "fp32"),
    ("compare EXAdam with AdamW on intents.csv", "EXAdam"),
    ("classify intents.csv and average the last checkpoints", "average the last checkpoints"),
    ("classify intents.csv by 5x2 cross-validation", "5x2 cross-validation"),
    ("classify intents.csv, 5-fold cross-validation", "5-fold cross-validation"),
    ("classify intents.csv, 80/10/10", "80/10/10"),
    ("classify intents.csv, use a 70/15/15 split", "70/15/15 split"),
    ("SFT on qa.jsonl starting from the adapter of study 2", "starting from the adapter of study 2"),
    ("classify intents.csv, use the best configuration of study 2", "use the best configuration of study 2"),
    ("SFT on qa.jsonl on 4 GPUs with FSDP", "on 4 GPUs"),
    ("SFT on qa.jsonl on 4 GPUs with FSDP", "FSDP"),
    ("classify intents.csv and push to the hub", "push to the hub"),
    ("classify intents.csv and push to hub as me/intents", "push to hub as me/intents"),
    ("classify intents.csv with own metric in score.py", "own metric"),
    ("SFT on qa.jsonl with packing and flash attention", "packing"),
    ("SFT on qa.jsonl with packing and flash attention", "flash attention"),
    ("SFT on qa.jsonl, measure MMLU by lm-eval", "lm-eval"),
    ("SFT on qa.jsonl, deepspeed zero 3", "deepspeed zero 3"),
    ("classify intents.csv, early stopping with patience 3", "early stopping with patience 3"),
    ("classify intents.csv, at most 2 epochs", "at most 2 epochs"),
    ("classify intents.csv, lr around 1e-4", "lr around 1e-4"),
    ("classify intents.csv, keep it under 3 epochs", "under 3 epochs"),
    ("classify intents.csv, keep 20% for testing", "keep 20%"),
    ("classify intents.csv, ignore rows shorter than 3 words", "rows shorter than 3 words"),
    ("classify intents.csv with focal loss", "focal loss"),
    ("classify a.csv using the focal loss function", "focal loss"),
    ("classify intents.csv, only keep rows where intent is alarm", "rows where intent is alarm"),
    ("classify t.csv, first 50 rows", "first 50 rows"),
    ("SFT on qa.jsonl, train on the prompt tokens as well", "train on the prompt tokens as well"),
    ("SFT on qa.jsonl, packing=True", "packing"),
    ("SFT on qa.jsonl, max_steps=100", "max_steps=100"),
    ("classify t.csv with gradient_accumulation_steps 8", "gradient_accumulation_steps 8"),
    ("multi-label classification on t.csv", "multi-label"),
    ("sft on qa.jsonl with the Zyxterion optimiser", "Zyxterion optimiser"),
    ("sft on qa.jsonl using QXF", "QXF"),
    ("classify a.csv, warm up the classifier head first then unfreeze", "warm up the classifier head first"),
    ("classify a.csv and log everything to wandb", "log everything to wandb"),
    ("classify a.csv, send me an email when done", "send me an email when done"),
    ("classify a.csv, treat label other as negative", "treat label other as negative"),
    ("classify t.csv ignoring the class login", "class login"),
    ("SFT a.jsonl with LoRA on layers 8-16 only", "layers 8-16 only"),
    ("classify a.csv with a 512-unit hidden layer", "512-unit hidden layer"),
    ("DPO on p.jsonl with reference model gpt2-large", "reference model gpt2-large"),
    ("train a mixture of LoRA experts on a.jsonl", "mixture of LoRA experts"),
]
ASKED = [
    ("classify intents.csv with IA3 adapters", "adapter"),
    ("classify intents.csv using LoHa", "adapter"),
    ("classify intents.csv using VeRA", "adapter"),
    ("classify intents.csv, half fine-tuning", "adapter"),
    ("prefix-tuning on intents.csv", "adapter"),
    ("ORPO on dpo.jsonl", "loss"),
    ("Preference tuning of a.jsonl, the loss must be 'aot'.", "loss"),
    ("classify t.csv, minimise the error rate", "objective.metric"),
    ("SFT on qa.jsonl, optimise BERTScore", "objective.metric"),
    ("which base is best: gpt2 or distilgpt2, on qa.jsonl", "base_model"),
]
READ = [
    ("classify intents.csv, one pass over the data", {"search.epochs": 1}),
    ("classify intents.csv, 1 trial 1 epoch", {"budget.trials": 1, "search.epochs": 1}),
    ("classify intents.csv, no dropout", {"search.lora_dropout": 0}),
    ("classify t.csv, weight decay zero, no warmup", {"search.weight_decay": 0, "search.warmup_ratio": 0}),
    ("classify t.csv, batch size 4 with gradient accumulation 8", {"search.batch_size": 32}),
    ("classify t.csv, use_dora", {"adapter": "dora"}),
    ("fine-tune mistral 7b 4bit on qa.jsonl", {"adapter": "qlora"}),
    ("classify t.csv, maximize eval_accuracy", {"objective.metric": "accuracy"}),
    ("DPO on harmless.jsonl with embedded:tiny-causal", {"base_model": "embedded:tiny-causal"}),
    ("fine-tune embedded:tiny-causal on pc.jsonl", {"base_model": "embedded:tiny-causal"}),
    ("LoRA-tune ./my-model on x.jsonl", {"base_model": "./my-model", "data.train": "x.jsonl"}),
]
SILENT = [
    "classify tickets.csv about GPU latency with 12 classes of topics, 5 trials",
    "classify recall-notices.csv with MiniLM, no packing, 2 epochs",
    "classify notes.csv where the label column is precision",
    "SFT on qa.jsonl, dropout 0.1, seed 7, at least 30 minutes on one GPU",
    "I have a MacBook with 16GB RAM. Fine-tune SmolLM2-135M on FAQ.jsonl please",
]


@pytest.mark.parametrize(("text", "words"), LISTED)
def test_a_wish_that_cannot_be_obeyed_is_listed(text: str, words: str) -> None:
    """By its own words, before the reason if there is one to tell."""
    ignored = read_by_rules(text).ignored
    assert any(words in part.partition(": ")[0] for part in ignored), ignored


@pytest.mark.parametrize(("text", "field"), ASKED)
def test_a_value_that_is_not_here_is_asked_about(text: str, field: str) -> None:
    """It is never replaced by the default without a word."""
    draft = read_by_rules(text)
    assert field in {question.field for question in draft.questions}
    assert flat(draft.spec).get(field) is None


@pytest.mark.parametrize(("text", "values"), READ)
def test_a_wish_that_can_be_obeyed_is_read(text: str, values: dict[str, object]) -> None:
    """And leaves no remark."""
    draft = read_by_rules(text)
    spec = flat(draft.spec)
    assert {name: spec.get(name) for name in values} == values
    assert draft.ignored == ()


@pytest.mark.parametrize("text", SILENT)
def test_ordinary_words_get_no_remark(text: str) -> None:
    """What a text is about, what is refused and what the machine has are no wishes."""
    draft = read_by_rules(text)
    assert (draft.ignored, [q.question for q in draft.questions]) == ((), [])


def test_another_kind_of_work_is_refused_with_what_is_done_here() -> None:
    """Optimising a prompt is no fine-tuning."""
    refusal = read_by_rules("optimise the prompt for qa.jsonl").refusal
    assert refusal is not None
    assert "trains weights" in refusal.message


def test_every_technique_is_found_and_answered() -> None:
    """The table's fields are fields of a spec, its better answers belong to names of the row."""
    for technique in techniques():
        assert technique.field is None or technique.field in fields(TaskSpec)
        assert technique.pattern.pattern
        assert all(
            answer in {technique.answer(_plain(name)) for name in (names,)} or answer
            for names, answer in technique.nearer.items()
        )


def _plain(pattern: str) -> str:
    return pattern.replace("?", "").replace("\\", "")


@pytest.mark.parametrize(
    ("first", "edit", "ranks"),
    [
        ("rank 8 or 16", "add rank 64 to the choices", {"choices": [8, 16, 64]}),
        ("rank 8 or 16", "also try rank 16 and 32", {"choices": [8, 16, 32]}),
        ("rank 8", "add rank 64", {"choices": [8, 64]}),
        ("rank between 4 and 16", "also use rank 32", {"low": 4.0, "high": 32.0}),
        ("rank 8 or 16", "use rank 64", 64),
    ],
)
def test_an_edit_that_adds_keeps_what_was_named(first: str, edit: str, ranks: object) -> None:
    """One that does not, does not."""
    draft = read_by_rules(edit, read_by_rules(f"classify a.csv, {first}"))
    assert draft.spec.search.model_dump(mode="json")["lora_rank"] == ranks


def test_where_nothing_was_named_to_add_to_is_said() -> None:
    """And the default range stays."""
    draft = read_by_rules("add rank 64 to the choices", read_by_rules("classify a.csv"))
    assert draft.spec.search.lora_rank is None
    assert draft.ignored == ("rank 64: no values were named to add to; list all of them, such as rank 8, 16 or 64",)
