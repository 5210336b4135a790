"""The plots of a run, as ``python -m eval report`` draws them: SVG with its numbers as text, in the page's colours."""

from collections.abc import Callable
from functools import cache

import streamlit as st

from eval.compare.report_page import PLOT_STYLE
from ui.look import PART_STYLE

_STYLE = (
    PART_STYLE
    + PLOT_STYLE
    + """
:host { --g0: var(--ad-accent); --g1: light-dark(#B26F00, #E0A83C); --g2: var(--ad-border); }
figure { margin: .3rem 0 1rem; }
figcaption { font-size: .875rem; }
table { font-size: .8125rem; }
"""
)

_SCRIPT = """
export default function ({ parentElement: root, data }) {
  root.querySelector(".part").setAttribute("aria-label", data.label);
  root.querySelector(".part").innerHTML = data.plots;
}
"""


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component(
        "answerdesk.run_plots", html='<section class="part"></section>', css=_STYLE, js=_SCRIPT
    )


def draw_plots(key: str, plots: str, *, label: str) -> None:
    """Draw plots by ``eval.compare``, in which every word is escaped; ``label`` is read to those who do not see."""
    _component()(key=key, data={"plots": plots, "label": label})
