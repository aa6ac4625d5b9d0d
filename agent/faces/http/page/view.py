"""How a page of charts is looked at: the query of its address."""

from urllib.parse import urlencode

from agent.faces.http.page.charts import Field
from trainers.spec import Closed


class View(Closed):
    """How a page of charts is looked at. All of it stands in the address, so it outlives a reload."""

    sort: str = "trial"
    """A column of the table of trials; from high to low with "-" before it."""
    field: Field = "loss"
    tables: str = ""
    """Charts that are shown as tables, their names with commas between."""
    events: str = "latest"

    def change(self, **fields: str) -> str:
        """The query of this view with some fields changed."""
        changed = self.model_copy(update=fields).model_dump(exclude_defaults=True)
        return f"?{urlencode(changed)}"

    def shows_table(self, chart: str) -> bool:
        """Whether a chart is shown as a table."""
        return chart in self.tables.split(",")

    def flip(self, chart: str) -> str:
        """The query with a chart and its table changed for each other."""
        names = [name for name in self.tables.split(",") if name and name != chart]
        return self.change(tables=",".join(names if self.shows_table(chart) else [*names, chart]))

    def sorted_by(self, column: str, down_first: bool) -> str:
        """The query that sorts by a column, or the other way round where it does already."""
        ways = [f"-{column}", column] if down_first else [column, f"-{column}"]
        return self.change(sort=ways[1] if self.sort == ways[0] else ways[0])
