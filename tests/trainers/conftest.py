"""Tiny random models made on the spot, toy data that a working trainer must learn, and specs over them."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainers.spec import TrainSpec

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

FRUIT, CAR = ("apple", "pear", "plum", "fig"), ("engine", "wheel", "brake", "gear")
MARKED = (
    "{{ bos_token }}{% for m in messages %}<|turn|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
UNMARKED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")

SpecFactory = Callable[..., TrainSpec]


def byte_tokenizer() -> Any:
    """A byte-level tokenizer without merges that adds <s>, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<s>", "</s>", "<|turn|>", "<|end|>"]
    names = specials + sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={n: i for i, n in enumerate(names)}, merges=[]))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["<|turn|>", "<|end|>"],
    )
    tokenizer.chat_template = MARKED
    return tokenizer


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal model without dropout: 2 layers of 32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    directory = tmp_path_factory.mktemp("llama")
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal model with dropout modules: 2 layers of 32."""
    from transformers import GPT2Config, GPT2LMHeadModel

    directory = tmp_path_factory.mktemp("gpt2")
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=128, bos_token_id=1, eos_token_id=2
    )
    GPT2LMHeadModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder without dropout and a word tokenizer: 2 layers of 32."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    directory = tmp_path_factory.mktemp("bert")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FRUIT, *CAR, *(f"w{i}" for i in range(20))]
    raw = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    """`rows` as JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def fruit_or_car(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Separable classification rows of 2 to 6 words."""
    rng = random.Random(seed)
    return [{"text": " ".join(rng.choices((FRUIT, CAR)[i % 2], k=rng.randint(2, 6))), "label": i % 2} for i in range(n)]


def pairs(n: int) -> list[dict[str, Any]]:
    """Prompts whose wanted answer is "yes" and unwanted one "no"."""
    return [{"prompt": f"q{i % 7}? ", "chosen": "yes", "rejected": "no no"} for i in range(n)]


@pytest.fixture
def classification(tmp_path: Path, bert: Path) -> SpecFactory:
    """Builds classification specs; keyword arguments replace fields of the spec or of its config."""
    train = write(tmp_path / "train.jsonl", fruit_or_car(48))
    validation = write(tmp_path / "validation.jsonl", fruit_or_car(16, seed=1))
    config = {"head_lr_ratio": 1, "learning_rate": 1e-2}
    return _factory(tmp_path, "classification", bert, train, validation, config, labels=("fruit", "car"))


@pytest.fixture
def sft(tmp_path: Path, llama: Path) -> SpecFactory:
    """Builds SFT specs."""
    rows = [{"prompt": f"q{i % 7}? ", "completion": "yes"} for i in range(32)]
    train = write(tmp_path / "train.jsonl", rows)
    return _factory(tmp_path, "sft", llama, train, train, {"learning_rate": 1e-2})


@pytest.fixture
def preference(tmp_path: Path, llama: Path) -> SpecFactory:
    """Builds preference specs."""
    train = write(tmp_path / "train.jsonl", pairs(32))
    config = {"beta": 0.1, "simpo_gamma": 0.5, "label_smoothing": 0.1, "learning_rate": 5e-3}
    return _factory(tmp_path, "preference", llama, train, train, config, loss="sigmoid")


def _factory(
    tmp_path: Path, task: str, base: Path, train: Path, validation: Path, config: dict[str, Any], **fields: Any
) -> SpecFactory:
    settings = {
        "lora_rank": 4,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "target_modules": "all-linear",
        "batch_size": 8,
        "epochs": 2,
        "weight_decay": 0.0,
        "warmup_ratio": 0.1,
        "scheduler": "linear",
        "max_grad_norm": 1.0,
        **config,
    }

    def make(**changes: Any) -> TrainSpec:
        known = {name: changes.pop(name) for name in list(changes) if name in TrainSpec.model_fields}
        return TrainSpec.model_validate(
            {
                "task": task,
                "base_model": "tiny",
                "base_path": str(base),
                "adapter": "lora",
                "config": {**settings, **changes},
                "seed": 1,
                "train_file": train,
                "validation_file": validation,
                "max_seq_length": 64,
                "n_evaluations": 2,
                "output_dir": tmp_path / "out",
                **fields,
                **known,
            }
        )

    return make
