"""Random-weight models of a few thousand parameters and a word-level tokenizer, made on the spot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.spec import EvalSpec
from trainers.spec import Metric, Task

TEXT = "the cat dog sat on mat read write file socket returns number of bytes from when"


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Word-level, with padding, begin, end and unknown tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *TEXT.split()])}
    raw = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture
def language_model() -> Callable[..., Any]:
    """Makes a two-layer Llama of random weights."""
    return _language_model


def _language_model(seed: int = 0) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=20,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    for parameter in model.parameters():  # wide enough that tokens differ clearly in probability
        torch.nn.init.normal_(parameter, 0, 0.5)
    return model.eval()


@pytest.fixture
def classifier() -> Callable[..., Any]:
    """Makes a one-layer BERT of random weights with three classes and much dropout."""
    return _classifier


def _classifier(seed: int = 0) -> Any:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=3,
        pad_token_id=0,
        hidden_dropout_prob=0.5,
    )
    model = BertForSequenceClassification(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return model


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[..., EvalSpec]:
    """Writes rows to a file and makes the spec that scores them in batches of 3."""

    def write(task: Task, metric: Metric, rows: list[dict[str, Any]], **settings: Any) -> EvalSpec:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return EvalSpec(task=task, metric=metric, file=file, **{"max_seq_length": 32, "batch_size": 3, **settings})

    return write
