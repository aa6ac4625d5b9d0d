"""The plots of a report: which there are, and how a figure becomes a PNG file and an inline SVG."""

from agent.report import plot_costs, plot_models, plot_search
from agent.report.material import Material
from agent.report.model import Report
from agent.report.style import Plot, style


def draw_plots(material: Material, report: Report) -> list[Plot]:
    """All plots in the order of the report, drawn by matplotlib without a display. About a second each."""
    pareto = report.pareto
    with style():
        weighed = [plot_costs.quality_against_costs(report, pareto)] if pareto and pareto.weighed else []
        return [
            plot_models.default_vs_best(report),
            plot_search.history(report),
            *weighed,
            plot_search.learning_curves(material, report),
            plot_search.parallel_coordinates(material, report),
            plot_search.importance(material, report),
            plot_models.rows(material, report),
        ]
