"""The forward pass in numpy against transformers."""

from typing import Any

import numpy as np
import pytest

from prompts import trial_words as words
from tests.trainers.incontext.loading import load_network
from trainers.incontext.forward import Network
from trainers.incontext.network import TINY, new_network, save_network

torch = pytest.importorskip("torch")

SCORES = slice(words.FIRST_SCORE, words.FIRST_SCORE + words.SCORES)
HISTORY = [
    *words.header_tokens(["learning_rate", "batch_size"], [0.4, 0.5], [0.1, 0.3]),
    *(t for i in range(12) for t in words.trial_tokens([0.08 * i, 1 - 0.07 * i], None if i == 5 else 0.05 * i)),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Any]:
    """The same weights, larger than at the start of training, so that attention and gates do something."""
    directory = tmp_path_factory.mktemp("weights")
    network = new_network(TINY, seed=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(8.0 if parameter.dim() > 1 else 1.3)
    save_network(network, directory)
    return Network(directory), load_network(directory)


def hidden(model: Any, tokens: list[int]) -> Any:
    """The last layer's output of transformers, (tokens, width)."""
    return model.model(torch.tensor([tokens])).last_hidden_state[0].numpy()


def test_reading_a_history_gives_what_transformers_gives(both: tuple[Network, Any]) -> None:
    """At every token, within what float32 allows."""
    mine, theirs = both
    read = mine.read(HISTORY)
    assert len(read.hidden) == len(HISTORY)
    np.testing.assert_allclose(read.hidden, hidden(theirs, HISTORY), atol=2e-4, rtol=1e-3)


def test_continuations_see_the_history_and_not_each_other(both: tuple[Network, Any]) -> None:
    """Each ends as if it had been read behind the history alone."""
    mine, theirs = both
    rows = [words.config_tokens([u, 1 - u]) for u in (0.0, 0.31, 0.62, 0.93)]
    found = mine.after(mine.read(HISTORY), np.array(rows))
    for row, mine_last in zip(rows, found, strict=True):
        np.testing.assert_allclose(mine_last, hidden(theirs, HISTORY + row)[-1], atol=2e-4, rtol=1e-3)


def test_shares_are_the_probabilities_among_the_words_asked_for(both: tuple[Network, Any]) -> None:
    """A softmax over them alone."""
    mine, theirs = both
    last = mine.read(HISTORY).hidden[-1:]
    with torch.no_grad():
        logits = theirs(torch.tensor([HISTORY])).logits[0, -1, SCORES]
    shares = mine.shares(last, SCORES)
    np.testing.assert_allclose(shares[0], logits.softmax(-1).numpy(), atol=1e-4)
    assert shares.sum() == pytest.approx(1.0, abs=1e-5)
