"""Uniform random search: the yardstick every other proposer is measured against."""

from random import Random

from agent.search.fresh import known_keys, random_config
from agent.study.nouns import History, Proposal
from trainers.space import Space


class RandomSearch:
    """Draws each parameter uniformly on its own scale."""

    name = "random"

    def __init__(self, space: Space) -> None:
        self._space = space

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        rng, keys = Random(seed), known_keys(self._space, history)
        proposals: list[Proposal] = []
        while len(proposals) < n and (config := random_config(self._space, keys, rng)) is not None:
            keys.add(self._space.key(config))
            proposals.append(Proposal(config=config, source=self.name, why="drawn uniformly"))
        return proposals
