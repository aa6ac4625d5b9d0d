"""The server itself: `/healthz`, `/metrics`, and login links for browsers."""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import PlainTextResponse

from agent.desk.dispatch import dispatcher_pid
from agent.faces.http.guard import LOGIN
from agent.faces.http.measures import metric
from agent.faces.http.service import Service
from trainers.spec import Closed


class Health(Closed):
    """Whether work gets done."""

    status: Literal["ok", "waiting"] = Field(description="waiting: studies are queued and nobody works them off yet")
    version: str
    queue: int = Field(description="studies that are queued, the running one included, paused ones not")
    paused: int
    dispatcher: int | None = Field(description="process that works off the queue; None: nothing to do")


class LoginLink(Closed):
    """Where a browser logs in, once."""

    url: str


def health_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(tags=["server"])
    own_version = version("tunewright")

    @routes.get("/healthz", summary="Whether work gets done")
    def healthz() -> Health:
        """Queue and dispatcher."""
        queue, pid = service.desk.store.queue(), dispatcher_pid(service.settings.home)
        waiting = sum(not entry.paused for entry in queue)
        status: Literal["ok", "waiting"] = "waiting" if waiting and pid is None else "ok"
        return Health(status=status, version=own_version, queue=waiting, paused=len(queue) - waiting, dispatcher=pid)

    @routes.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        """Studies and trials by state, the queue, requests."""
        health, store, lines = healthz(), service.desk.store, list[str]()
        for name, counts in (("studies", store.state_counts("studies")), ("trials", store.state_counts("trials"))):
            samples = {f'{{state="{state}"}}': n for state, n in counts.items()}
            lines += metric(name, "gauge", f"{name.capitalize()} by state.", samples)
        lines += metric("queue_length", "gauge", "Studies that are queued and not paused.", {"": health.queue})
        up = int(health.dispatcher is not None)
        lines += metric("dispatcher_up", "gauge", "Whether a process works off the queue.", {"": up})
        return "\n".join([*lines, *service.measures.lines()]) + "\n"

    @routes.post("/v1/login_links", status_code=201, summary="A link that logs a browser in, once")
    def login_link() -> LoginLink:
        """For the page at /; good for a day."""
        return LoginLink(url=f"{service.url}{LOGIN}?code={service.access.new_code()}")

    return routes
