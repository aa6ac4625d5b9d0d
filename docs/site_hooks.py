"""Hooks of mkdocs: what the site needs so that its search also works where its files are opened without a server."""

from pathlib import Path
from typing import Any


def on_post_build(config: Any) -> None:
    """The search index once more as a script: a page that was opened as a file may not fetch JSON."""
    search = Path(config.site_dir) / "search"
    index = (search / "search_index.json").read_text(encoding="utf-8")
    (search / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")
