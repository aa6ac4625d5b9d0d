"""What flags say beside a request."""

from pydantic import Field

from trainers.spec import Closed


class Overrides(Closed):
    """What the command line's flags say; the user's own words, before those of the request."""

    data: str | None = None
    trials: int | None = None
    seconds: float | None = Field(None, allow_inf_nan=True, description="any number, so that a message can name it")
    warm_start: str | None = None


NO_OVERRIDES = Overrides()
