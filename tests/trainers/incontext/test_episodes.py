"""Synthetic tuning histories."""

import numpy as np
import pytest

from prompts import trial_words as words
from trainers.incontext.episodes import BACKWARD_SHARE, Batch, batch

STEPS = range(6)


def dimensions(found: Batch) -> int:
    """Number of columns: the header is `<s>` and three words a column, before the first value, target or score."""
    first = int(np.argmax(found.tokens[0] >= words.FIRST_VALUE))
    return (first - 1) // 3


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    """Of 16 episodes each."""
    return [batch(16, 7, step) for step in STEPS]


def test_a_batch_is_the_same_for_the_same_arguments(batches: list[Batch]) -> None:
    """So that a training run can go on where it was killed; other steps and seeds give others."""
    again = batch(16, 7, 2)
    np.testing.assert_array_equal(again.tokens, batches[2].tokens)
    np.testing.assert_array_equal(again.targets, batches[2].targets)
    assert batch(16, 8, 2).tokens.shape != again.tokens.shape or (batch(16, 8, 2).tokens != again.tokens).any()
    assert len({b.tokens.tobytes() for b in batches}) == len(batches)


def test_tokens_are_the_words_of_a_history(batches: list[Batch]) -> None:
    """A header and trials as `prompts.trial_words` writes them, forward or target first; no place is left over."""
    n_backward = n_trials = 0
    for found in batches:
        d = dimensions(found)
        scores, asked = set(zip(*found.where, strict=True)), set(zip(*found.asked, strict=True))
        assert found.tokens.max() < words.SIZE
        for b, row in enumerate(found.tokens):
            header, trials = row[: 1 + 3 * d], row[1 + 3 * d :].reshape(-1, d + 1)
            assert header[0] == 1
            assert all(words.FIRST_ROLE <= t < words.FIRST_CENTRE for t in header[1::3])
            assert all(words.FIRST_CENTRE <= t < words.FIRST_SPREAD for t in header[2::3])
            assert all(words.FIRST_SPREAD <= t < words.FIRST_VALUE for t in header[3::3])
            for i, trial in enumerate(trials):
                at = 1 + 3 * d + i * (d + 1)
                backward = trial[0] >= words.FIRST_TARGET
                values = trial[1:] if backward else trial[:-1]
                assert all((t - words.FIRST_VALUE) // words.VALUES == j for j, t in enumerate(values))
                if backward:
                    assert all((b, at + 1 + j) in asked for j in range(d))
                else:
                    assert trial[-1] == 3 or words.FIRST_SCORE <= trial[-1] < words.FIRST_TARGET
                    assert (b, at + d) in scores
                n_backward += backward
                n_trials += 1
        assert len(scores) + len(asked) // d == trials.shape[0] * len(found.tokens)
    assert n_backward / n_trials == pytest.approx(BACKWARD_SHARE, abs=0.05)


def test_targets_are_distributions_that_fit_what_was_drawn(batches: list[Batch]) -> None:
    """Over the scores and `fail`; the drawn class is the token in that place, and much likelier than by chance."""
    nats = []
    for found in batches:
        assert found.targets.shape == (len(found.drawn), words.SCORES + 1)
        assert (found.targets >= 0.0).all()
        np.testing.assert_allclose(found.targets.sum(1), 1.0, atol=1e-4)
        there = found.tokens[found.where]
        np.testing.assert_array_equal(there, np.where(found.drawn == words.SCORES, 3, words.FIRST_SCORE + found.drawn))
        nats.append(-np.log(np.maximum(found.targets[np.arange(len(found.drawn)), found.drawn], 1e-9)).mean())
    assert np.mean(nats) < np.log(words.SCORES + 1) - 1.0


def test_failed_trials_have_no_score(batches: list[Batch]) -> None:
    """They are told as `fail` in a score's place, never target first; some episodes have them."""
    n_failed = 0
    for found in batches:
        failed = found.tokens == 3
        n_failed += failed.sum()
        places = np.zeros_like(failed)
        places[found.where] = True
        assert not (failed & ~places).any()
        assert (found.targets[found.drawn == words.SCORES, -1] > 0.0).all()
    assert n_failed > 0
