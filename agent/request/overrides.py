"""What flags say beside a request."""

from pydantic import Field

from trainers.spec import Closed


class Overrides(Closed):
    """What the command line's flags say; the user's own words, before those of the request."""

    data: str | None = None
    trials: int | None = None
    seconds: float | None = Field(None, allow_inf_nan=True, description="any number, so that a message can name it")
    warm_start: str | None = None

    def said(self) -> tuple[tuple[str, str, str | int | float], ...]:
        """(field of the spec, flag, value) of those that are given."""
        flags = (
            ("data.train", "--data", self.data),
            ("budget.trials", "--trials", self.trials),
            ("budget.seconds", "--seconds", self.seconds),
            ("warm_start", "--warm-start", self.warm_start),
        )
        return tuple((name, flag, value) for name, flag, value in flags if value is not None)


NO_OVERRIDES = Overrides()
