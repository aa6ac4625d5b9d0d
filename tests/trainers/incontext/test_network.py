"""The network as files."""

from pathlib import Path
from typing import Any

import pytest

from prompts import trial_words as words
from tests.trainers.incontext.loading import load_network
from trainers.incontext.forward import tensors
from trainers.incontext.network import TINY, new_network, save_network

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A random network and where it was written."""
    directory = tmp_path_factory.mktemp("weights")
    network = new_network(TINY, seed=3)
    save_network(network, directory)
    return network, directory


def test_it_loads_in_transformers(saved: tuple[Any, Path]) -> None:
    """By the names that any model of the hub has, in bfloat16 safetensors."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, directory = saved
    model = AutoModelForCausalLM.from_pretrained(directory)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.dtype is torch.bfloat16
    assert (directory / "model.safetensors").is_file()
    assert not list(directory.glob("*.bin"))
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight.to(torch.bfloat16))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 0)


def test_its_tokenizer_has_a_token_for_every_word(saved: tuple[Any, Path]) -> None:
    """Words parted by spaces become the numbers that `prompts.trial_words` gives, and back."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(saved[1])
    tokens = [
        *words.header_tokens(["learning_rate", "unknown"], [0.4, 0.5], [0.1, 0.4]),
        *words.trial_tokens([0.2, 0.6], 0.5),
        *words.trial_tokens([0.9, 0.1], None),
        words.target_token(0.9),
    ]
    text = " ".join(words.vocabulary()[token] for token in tokens)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == tokens
    assert tokenizer.decode(tokens) == text
    everything = " ".join(words.vocabulary())
    assert tokenizer(everything, add_special_tokens=False)["input_ids"] == list(range(words.SIZE))
    assert tokenizer.decode(list(range(words.SIZE))) == everything


def test_its_tokenizer_adds_nothing_to_a_header(saved: tuple[Any, Path]) -> None:
    """A header begins with `<s>` itself: servers, which ask for special tokens by default, do not put a second one."""
    from transformers import AutoTokenizer

    tokens = words.header_tokens(["learning_rate"], [0.4], [0.1])
    text = " ".join(words.vocabulary()[token] for token in tokens)
    assert text.startswith("<s> ")
    assert AutoTokenizer.from_pretrained(saved[1])(text)["input_ids"] == tokens


def test_saving_leaves_the_network_as_it_was(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """Training goes on in float32; what is loaded for inference is float32 too, and takes no gradients."""
    network, directory = saved
    assert network.dtype is torch.float32
    loaded = load_network(directory)
    assert loaded.dtype is torch.float32
    assert not any(p.requires_grad for p in loaded.parameters())
    save_network(network, tmp_path / "full", dtype="float32")
    torch.testing.assert_close(load_network(tmp_path / "full").state_dict(), network.state_dict())


def test_a_seed_gives_one_network_in_which_neighbours_are_alike() -> None:
    """Numbers that lie close start with close embeddings."""
    first, same, other = (new_network(TINY, seed).model.embed_tokens.weight.detach() for seed in (0, 0, 1))
    torch.testing.assert_close(first, same)
    assert not torch.equal(first, other)
    scores = first[words.FIRST_SCORE : words.FIRST_SCORE + words.SCORES]
    assert (scores[100] - scores[101]).norm() < 0.5 * (scores[100] - scores[300]).norm()


def test_weights_are_read_without_torch(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """bfloat16 exactly, float32 exactly, nothing else."""
    from safetensors.torch import save_file

    network, directory = saved
    found = tensors(directory / "model.safetensors")
    for name, weight in network.state_dict().items():
        assert (found[name] == weight.to(torch.bfloat16).float().numpy()).all()
    save_file({"x": torch.tensor([1.5, -2.25])}, tmp_path / "plain.safetensors", metadata={"format": "pt"})
    assert tensors(tmp_path / "plain.safetensors")["x"].tolist() == [1.5, -2.25]
    save_file({"x": torch.tensor([1.5]).half()}, tmp_path / "half.safetensors")
    with pytest.raises(ValueError, match="F16"):
        tensors(tmp_path / "half.safetensors")
