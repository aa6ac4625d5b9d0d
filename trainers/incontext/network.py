"""The in-context model as a file: a small Llama over the words of `prompts.trial_words`, in Hugging Face's format."""

import copy
import math
from pathlib import Path
from typing import Any

from prompts import trial_words as words
from trainers.spec import Closed

POSITIONS = 1024


class Size(Closed):
    """Shape of the network. The default has about 1.7 M parameters; `TINY` is for tests."""

    hidden: int = 128
    layers: int = 5
    heads: int = 4
    inner: int = 384


TINY = Size(hidden=32, layers=2, heads=2, inner=64)


def new_network(size: Size, seed: int) -> Any:
    """A LlamaForCausalLM with random weights; words for neighbouring numbers start out alike."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=words.SIZE,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    network = LlamaForCausalLM(config)
    weights = network.model.embed_tokens.weight
    runs = [(words.FIRST_VALUE + j * words.VALUES, words.VALUES) for j in range(words.MAX_COLUMNS)]
    runs += [(words.FIRST_SCORE, words.SCORES), (words.FIRST_TARGET, words.TARGETS)]
    runs += [(words.FIRST_CENTRE, words.CENTRES)]
    with torch.no_grad():
        for start, count in runs:
            weights[start : start + count] = torch.randn(size.hidden) * 0.02
            weights[start : start + count, : size.hidden // 2] += _waves(count, size.hidden // 2)
    return network


def _waves(count: int, width: int) -> Any:
    """(count, width) sines and cosines of the place in [0, 1], from half a wave to twenty."""
    import torch

    place = (torch.arange(count) + 0.5) / count
    frequency = torch.exp(torch.linspace(math.log(0.5), math.log(20.0), width // 2))
    angle = place[:, None] * frequency[None] * 2 * math.pi
    return torch.cat([angle.sin(), angle.cos()], 1) * 0.04


def save_network(network: Any, directory: Path, dtype: str = "bfloat16") -> None:
    """Write weights (safetensors), configuration and a tokenizer that splits at spaces, one word, one token.

    It loads in transformers and vLLM.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    copy.deepcopy(network).to(getattr(torch, dtype)).save_pretrained(directory)
    vocabulary = {word: index for index, word in enumerate(words.vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=words.PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"bos_token": words.BEGIN, "eos_token": words.END, "pad_token": words.PAD}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=POSITIONS, clean_up_tokenization_spaces=False, **special
    ).save_pretrained(directory)
