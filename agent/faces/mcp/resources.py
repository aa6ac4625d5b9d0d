"""What can be read whole: reports, specs and plans, by URI; the reports of finished studies are listed."""

import json
from collections.abc import Callable
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import Resource

from agent.desk.desk import Desk
from agent.errors import InputError, TunewrightError
from agent.faces.mcp.served import Ctx, Served, desk_of
from agent.request.plan_rows import plan_json
from agent.study.nouns import StudyState

MARKDOWN, JSON, YAML = "text/markdown", "application/json", "application/yaml"
MAX_BYTES = 2 * 1024 * 1024
LISTED_STUDIES = 50


def report_uris(study_id: str) -> dict[str, str]:
    """URI to media type of what a finished study's report consists of."""
    base = f"tunewright://studies/{study_id}"
    return {f"{base}/report.md": MARKDOWN, f"{base}/report.json": JSON, f"{base}/spec.yaml": YAML}


def listed(desk: Desk) -> list[Resource]:
    """The reports of the latest finished studies."""
    done = [s for s in desk.store.studies() if s.state is StudyState.DONE][-LISTED_STUDIES:]
    return [
        Resource(
            name=f"study-{study.study_id}-report.md",
            title=f"Report of study {study.study_id}",
            uri=next(iter(report_uris(study.study_id))),
            description=study.plan.request[:200],
            mime_type=MARKDOWN,
        )
        for study in reversed(done)
    ]


def add_resources(server: MCPServer[Served]) -> None:
    """Put the URI templates on the server."""

    @server.resource("tunewright://studies/{study}/report.md", title="Report of a finished study", mime_type=MARKDOWN)
    def report_md(study: str, ctx: Ctx) -> str:
        """The report for people: verdict, scores with intervals, trials, budget, deviations."""
        return _read(lambda: _report_file(desk_of(ctx), study, "report.md"))

    @server.resource("tunewright://studies/{study}/report.json", title="Report as data", mime_type=JSON)
    def report_json(study: str, ctx: Ctx) -> str:
        """The same report for programs."""
        return _read(lambda: _report_file(desk_of(ctx), study, "report.json"))

    @server.resource("tunewright://studies/{study}/spec.yaml", title="Spec of a finished study", mime_type=YAML)
    def spec_yaml(study: str, ctx: Ctx) -> str:
        """The resolved spec; `tunewright run spec.yaml` does the study again."""
        return _read(lambda: _report_file(desk_of(ctx), study, "spec.yaml"))

    @server.resource("tunewright://studies/{study}/plan", title="Plan of a study", mime_type=JSON)
    def study_plan(study: str, ctx: Ctx) -> str:
        """The approved plan: spec, where each value comes from, search space, data, estimate."""
        return _read(lambda: json.dumps(plan_json(desk_of(ctx).study(study).plan), ensure_ascii=False))

    @server.resource("tunewright://plans/{plan_hash}", title="A plan that waits", mime_type=JSON)
    def waiting_plan(plan_hash: str, ctx: Ctx) -> str:
        """A plan by its hash, whole: spec, where each value comes from, search space, data, estimate."""
        return _read(lambda: json.dumps(plan_json(desk_of(ctx).store.kept_plan(plan_hash).plan), ensure_ascii=False))


def _report_file(desk: Desk, study: str, name: str) -> str:
    path = Path(desk.report_card(study).directory) / name
    if path.stat().st_size > MAX_BYTES:
        raise InputError("uri", f"{name} is larger than {MAX_BYTES // 1024**2} MiB.", "Read it where it lies.")
    return path.read_text(encoding="utf-8")


def _read(read: Callable[[], str]) -> str:
    try:
        return read()
    except (TunewrightError, FileNotFoundError) as error:
        raise ResourceNotFoundError(str(error)) from error
