"""The sections `[export]`, `[webhook]` and `[telemetry]` of `config.toml`; everything is off by default."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from trainers.spec import Closed

TrackerName = Literal["tensorboard", "mlflow", "wandb", "trackio"]
WebhookEvent = Literal["done", "failed", "cancelled", "approval"]

MAX_NAME = 128
"""Characters of a project's name; what W&B allows."""

_PROJECT = re.compile(r"[^/\\#?%:\s][^/\\#?%:]*(?:/[^/\\#?%:]+)?")


def _place(value: object) -> object:
    """`true`, or text that is not empty; `false` is off."""
    if value is False:
        return None
    if value is True or value is None or (isinstance(value, str) and value.strip()):
        return value
    raise ValueError("must be true, or text that names the place")


def _project(value: object) -> object:
    if value is False:
        return None
    if value is None or (isinstance(value, str) and len(value) <= MAX_NAME and _PROJECT.fullmatch(value)):
        return value
    raise ValueError(rf"must be the name of a project: at most {MAX_NAME} characters, none of \ # ? % :")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its very spelling."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL; {error}") from error
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("must be a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    return parts


def _hook(url: str) -> str:
    parts = _parts(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://, unless it is on this machine (localhost, 127.0.0.1)")
    return url


def _collector(value: object) -> object:
    if value is None or value == "console":
        return value
    if not isinstance(value, str):
        raise ValueError('must be the URL of an OTLP collector, or "console"')
    _parts(value)
    return value


def _link(url: str) -> str:
    _parts(url)
    return url


Place = Annotated[bool | str | None, BeforeValidator(_place)]
Project = Annotated[str | None, BeforeValidator(_project)]


class Export(Closed):
    """Experiment trackers that get a run for every trial, each through its own client."""

    tensorboard: Place = Field(None, description="directory for event files; true: `tensorboard/` in the home")
    mlflow: Place = Field(None, description="tracking URI; true: `mlflow.db` in the home")
    wandb: Project = Field(None, description="project of Weights & Biases, PROJECT or ENTITY/PROJECT")
    trackio: Project = Field(None, description="project of trackio")

    @property
    def chosen(self) -> dict[TrackerName, bool | str]:
        """The trackers that are switched on, and where each writes."""
        found: dict[TrackerName, bool | str | None] = {
            "tensorboard": self.tensorboard,
            "mlflow": self.mlflow,
            "wandb": self.wandb,
            "trackio": self.trackio,
        }
        return {name: place for name, place in found.items() if place is not None}


class Webhook(Closed):
    """Where to tell that a study is over or that a plan waits. The secret that signs is $TUNEWRIGHT_WEBHOOK_SECRET."""

    url: Annotated[str, AfterValidator(_hook)] = Field(description="https, or http on this machine")
    events: tuple[WebhookEvent, ...] = Field(("done", "failed", "approval"), description="what is told")
    allow_private: bool = Field(False, description="also deliver to addresses of the own network")
    link: Annotated[str, AfterValidator(_link)] | None = Field(
        None, description="where people find a study, such as https://box.example/studies/{study}; told as `url`"
    )

    @property
    def shown(self) -> str:
        """The address without its path, which often is a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Telemetry(Closed):
    """OpenTelemetry traces of studies, LLM calls and tool calls."""

    otlp: Annotated[str | None, BeforeValidator(_collector)] = Field(
        None, description='OTLP collector over HTTP, such as http://localhost:4318; or "console"'
    )
    content: bool = Field(False, description="also send prompts, replies and tool arguments")


class Watching(Closed):
    """Everything that watches studies from outside."""

    export: Export = Export()
    webhook: Webhook | None = None
    telemetry: Telemetry = Telemetry()

    @property
    def traced(self) -> bool:
        """Whether traces go anywhere."""
        return self.telemetry.otlp is not None

    @property
    def any(self) -> bool:
        """Whether anything is switched on."""
        return bool(self.export.chosen) or self.webhook is not None or self.traced
