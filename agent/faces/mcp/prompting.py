"""Prompts that a person picks in their client, and what the server tells every client about itself."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from agent.faces.mcp.served import Served
from agent.settings import Settings
from prompts import render


def instructions(settings: Settings) -> str:
    """How to use the tools; clients put it into their model's context."""
    return render("mcp_instructions", roots=", ".join(map(str, settings.roots))).text


def add_prompts(server: MCPServer[Served]) -> None:
    """Put the prompts on the server."""

    @server.prompt(title="Tune a model")
    def tune_model(
        goal: Annotated[str, Field(description='such as "classify the complaints in complaints.csv, one hour"')],
        data: Annotated[str, Field(description="file or hub id of the training data, if the goal names none")] = "",
    ) -> str:
        """Plan a fine-tuning study, show it, start it once approved, follow it to its report."""
        return render("mcp_tune", goal=goal, data=data).text

    @server.prompt(title="Explain a study")
    def explain_study(
        study: Annotated[str, Field(description="a study's id; empty for the latest")] = "",
    ) -> str:
        """What a study found, whether it beats the default, and why the best trial has its configuration."""
        return render("mcp_explain", study=study).text
