"""Finding the base model that a name means, without importing torch."""

from pydantic import Field

from trainers.spec import Closed


class BaseModelFacts(Closed):
    """The base model as it will be opened."""

    name: str
    path: str = Field(description="directory or hub id that the loader opens")
    revision: str | None = None
    parameters: int | None = None
    hidden_size: int | None = None
    max_positions: int | None = None
    origin: str = Field(description="hub cache, hub, local directory, installed package, built here")
