"""Components that run in the browser; their HTML, CSS and JavaScript are files in ``static/``.

    NAME.html, NAME.css, NAME.js    one component; only the script is required
    tokens.css                      colours and type of components, pages and the sign-in form
    part.css                        the look of every component that has HTML
    shared.js                       functions that stand before every component's script

Texts reach the page by ``textContent`` and text nodes alone.  ``make check`` reads the files
(``tests/support/browser_files.py``).
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st

STATIC_FOLDER = Path(__file__).with_name("static")


@cache
def asset(name: str) -> str:
    """Return the text of a file in ``static/``, read once."""
    return (STATIC_FOLDER / name).read_text(encoding="utf-8")


@cache
def component(name: str, more_style: str = "") -> Callable[..., object]:
    """Return the function that draws a component; the first call registers it with Streamlit.

    ``more_style`` is CSS that the component shares with something outside of ``ui``.
    """
    html = asset(f"{name}.html") if (STATIC_FOLDER / f"{name}.html").is_file() else None
    own_style = asset(f"{name}.css") if (STATIC_FOLDER / f"{name}.css").is_file() else ""
    style = "".join((asset("tokens.css"), asset("part.css"), more_style, own_style)) if html is not None else None
    script = asset("shared.js") + asset(f"{name}.js")
    return st.components.v2.component(f"answerdesk.{name}", html=html, css=style, js=script)


def component_value(key: str, name: str) -> object:
    """Return the value that the component of this key has just sent under a name, if any."""
    found: object = st.session_state.get(key, {}).get(name)
    return found
