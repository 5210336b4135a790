"""The plots of a run, as ``python -m eval report`` draws them: SVG with its numbers as text, in the page's colours."""

from eval.compare.report_page import style
from ui.browser import component


def draw_plots(key: str, plots: str, *, label: str) -> None:
    """Draw plots by ``eval.compare``, in which every word is escaped; ``label`` is read to those who do not see."""
    component("run_plots", style("plots"))(key=key, data={"plots": plots, "label": label})
