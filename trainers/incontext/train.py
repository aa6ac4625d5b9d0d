"""Training the in-context model: `python -m trainers.incontext.train --steps 12000 --out DIR`.

Killed at any time, the same command goes on from the last checkpoint: batch number i is the same in every run, and
the checkpoint holds the optimizer. The learning rate is constant up to the last part, in which it falls to zero, so
that `--steps` may be changed on the way. The log is a line of JSON per hundred steps.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from prompts import trial_words as words
from trainers.incontext.episodes import TARGET_WEIGHT, Batch, batch
from trainers.incontext.network import TINY, Size, new_network, save_network
from trainers.spec import Closed

FALL = 0.35
"""Share of the steps in which the learning rate falls to zero."""

WARMUP_STEPS = 200
LOG_EVERY = 100


class TrainingPlan(Closed):
    """What a run depends on; written beside the weights. One step of 64 episodes takes 0.3 to 0.6 s on one CPU core."""

    steps: int = 12_000
    episodes: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    size: Size = Size()


def train(plan: TrainingPlan, directory: Path, save_every: int = 250, workers: int = 1) -> Path:
    """Train, or go on with, the model of `plan`; returns the directory with the final weights.

    `directory/checkpoint.pt` is replaced every `save_every` steps; `directory/weights` is written at the end.
    """
    import torch

    directory.mkdir(parents=True, exist_ok=True)
    network = new_network(plan.size, plan.seed)
    network.set_attn_implementation("eager")  # on a CPU its backward pass takes half the time of the fused one
    decayed = [p for p in network.parameters() if p.dim() > 1]
    plain = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95))
    first = _restore(network, optimizer, directory / "checkpoint.pt", plan)
    losses: list[tuple[float, float]] = []
    started = time.monotonic()
    network.train()
    for step, episodes in _batches(plan, first, workers):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * rate(step, plan.steps)
        score, asked, drawn = _losses(network, episodes)
        optimizer.zero_grad(set_to_none=True)
        (score + TARGET_WEIGHT * asked).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append((drawn.item(), asked.item()))
        done = step + 1
        if done % LOG_EVERY == 0 or done == plan.steps:
            seconds = (time.monotonic() - started) / len(losses)
            _log(directory, done, losses[-LOG_EVERY:], optimizer.param_groups[0]["lr"], seconds)
        if done % save_every == 0 and done < plan.steps:
            _save(network, optimizer, directory / "checkpoint.pt", done, plan)
    save_network(network, directory / "weights")
    (directory / "weights" / "training.json").write_text(plan.model_dump_json(indent=2), encoding="utf-8")
    _save(network, optimizer, directory / "checkpoint.pt", plan.steps, plan)
    return directory / "weights"


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at `step`: warm-up, constant, a straight fall to zero."""
    fall = max(1, int(FALL * steps))
    return min(1.0, (step + 1) / min(WARMUP_STEPS, max(1, steps // 10)), max(0.0, (steps - step) / fall))


def _batches(plan: TrainingPlan, first: int, workers: int) -> Iterator[tuple[int, Batch]]:
    """Batches from `first` on, made a few ahead by `workers` processes (0: here)."""
    if workers == 0:
        for step in range(first, plan.steps):
            yield step, batch(plan.episodes, plan.seed, step)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        ahead = [pool.submit(batch, plan.episodes, plan.seed, i) for i in range(first, min(first + 8, plan.steps))]
        for step in range(first, plan.steps):
            if step + 8 < plan.steps:
                ahead.append(pool.submit(batch, plan.episodes, plan.seed, step + 8))
            yield step, ahead.pop(0).result()


def _losses(network: Any, episodes: Batch) -> tuple[Any, Any, Any]:
    """Cross-entropy of the score words against their soft targets, of the configuration words after a target (both with
    gradients), and of the scores that were drawn, in nats, for the log."""
    import torch
    from torch.nn.functional import cross_entropy

    tokens = torch.from_numpy(episodes.tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = network.model(tokens[:, :-1], use_cache=False).last_hidden_state
        rows, columns = (torch.from_numpy(a) for a in episodes.where)
        at_scores = hidden[rows, columns - 1]
        weight = network.lm_head.weight
        of_scores = weight[words.FIRST_SCORE : words.FIRST_SCORE + words.SCORES]
        logits = at_scores @ torch.cat([of_scores, weight[3:4]]).T  # `fail` comes last
        asked_rows, asked_columns = (torch.from_numpy(a) for a in episodes.asked)
        asked_logits = network.lm_head(hidden[asked_rows, asked_columns - 1])
    logits = logits.float()
    score = cross_entropy(logits, torch.from_numpy(episodes.targets))
    wanted = tokens[asked_rows, asked_columns]
    asked = cross_entropy(asked_logits.float(), wanted) if len(wanted) else score.new_zeros(())
    with torch.no_grad():
        drawn = cross_entropy(logits, torch.from_numpy(episodes.drawn))
    return score, asked, drawn


def _log(directory: Path, step: int, losses: list[tuple[float, float]], lr: float, seconds: float) -> None:
    score, asked = (sum(column) / len(losses) for column in zip(*losses, strict=True))
    line = {
        "step": step,
        "score_nats": round(score, 4),
        "uniform_nats": round(math.log(words.SCORES + 1), 4),
        "config_nats": round(asked, 4),
        "learning_rate": round(lr, 6),
        "seconds_per_step": round(seconds, 3),
    }
    with (directory / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def _save(network: Any, optimizer: Any, path: Path, step: int, plan: TrainingPlan) -> None:
    import torch

    fresh = path.with_suffix(".new")
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "plan": plan.model_dump_json(),
    }
    torch.save(state, fresh)
    fresh.replace(path)


def _restore(network: Any, optimizer: Any, path: Path, plan: TrainingPlan) -> int:
    """The step to go on with. Raises ValueError for the checkpoint of another plan (`steps` may differ)."""
    import torch

    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    before = TrainingPlan.model_validate_json(state["plan"])
    if before.model_copy(update={"steps": plan.steps}) != plan:
        raise ValueError(f"{path} was made with {before}, not {plan}; choose another directory or the same plan")
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m trainers.incontext.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for checkpoint, log and weights")
    parser.add_argument("--steps", type=int, default=TrainingPlan().steps)
    parser.add_argument("--episodes", type=int, default=TrainingPlan().episodes, help="per step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="a network for tests")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads of the network (default: torch's)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make episodes (0: none)")
    given = parser.parse_args(arguments)
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    size = TINY if given.tiny else Size()
    plan = TrainingPlan(steps=given.steps, episodes=given.episodes, seed=given.seed, size=size)
    print(train(plan, given.out, workers=given.workers))


if __name__ == "__main__":
    main()
