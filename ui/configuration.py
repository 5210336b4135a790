"""What Streamlit is told, whatever folder the desk is started from: ``.streamlit/config.toml`` beside this module.

Streamlit reads such a file in the current folder and in the home folder, too, and variables of the environment.
What is handed to ``App.run`` goes before all of them.  The link in the checkout's root is for Streamlit's own tester.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

CONFIGURATION = Path(__file__).with_name(".streamlit") / "config.toml"


def desk_configuration(own: Mapping[str, object]) -> dict[str, object]:
    """Return every option of the file by its dotted name, as ``App.run`` takes them; ``own`` go before the file's."""
    return {**dict(_options("", tomllib.loads(CONFIGURATION.read_text(encoding="utf-8")))), **own}


def _options(section: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _options(f"{section}{name}.", value)
        else:
            yield f"{section}{name}", value
