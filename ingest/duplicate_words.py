"""What was found to be there twice, in words and for programs."""

from dataclasses import asdict

from ingest.boilerplate import RepeatedLine
from ingest.duplicates import Duplicates
from rag.schema import Language
from rag.translate import translate

_SHOWN = 20
_LINE_SHOWN = 80  # characters


def duplicates_json(found: Duplicates) -> dict[str, object]:
    """Return duplicates for ``json.dumps``."""
    return {"same": [list(group) for group in found.same], "near": [asdict(pair) for pair in found.near]}


def boilerplate_json(found: tuple[RepeatedLine, ...]) -> list[dict[str, object]]:
    """Return repeated lines for ``json.dumps``."""
    return [asdict(one) for one in found]


def summary_line(found: Duplicates, language: Language) -> list[str]:
    """Return what an ingest says of the duplicates among its documents: a line, or none."""
    if not (found.same or found.near):
        return []
    return [translate("ingest.duplicates_new", language, same=len(found.same), near=len(found.near))]


def duplicate_lines(found: Duplicates, repeated: tuple[RepeatedLine, ...], language: Language) -> list[str]:
    """Return what ``--duplicates`` prints."""
    lines = ["= " + "  ".join(group) for group in found.same[:_SHOWN]]
    lines += [f"~ {pair.similarity:.2f}  {pair.first}  {pair.second}" for pair in found.near[:_SHOWN]]
    lines += [f"# {one.on_pages}/{one.pages}  {one.folder}  {one.text[:_LINE_SHOWN]}" for one in repeated[:_SHOWN]]
    lines.append(
        translate("ingest.duplicates", language, same=len(found.same), near=len(found.near), lines=len(repeated))
    )
    return lines
