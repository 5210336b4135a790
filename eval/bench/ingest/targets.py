"""What the ingest is measured by: sizes, bars, and one result a part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

PartName = Literal["encoder", "langchain", "unchanged", "memory", "kills"]
PARTS: tuple[PartName, ...] = get_args(PartName)

ENCODER_SHARE = 0.92
LANGCHAIN_RATIO = 3.0
UNCHANGED_SECONDS = 5.0
MEMORY_RATIO = 1.3


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.  Scale 1 is what the bars ask for; a smaller one is a quick look."""

    chunks: int = 2000
    unchanged_documents: int = 10_000
    memory_chunks: int = 100_000
    kills: int = 60

    @classmethod
    def scaled(cls, scale: float) -> "Sizes":
        """Return the sizes times ``scale``, in (0, 1].

        >>> Sizes.scaled(0.01).kills
        1
        """
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
        whole = cls()
        return cls(
            chunks=max(40, round(whole.chunks * scale)),
            unchanged_documents=max(40, round(whole.unchanged_documents * scale)),
            memory_chunks=max(400, round(whole.memory_chunks * scale)),
            kills=max(1, round(whole.kills * scale)),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One part: what came out, in the bar's own unit, whether that is enough, and all the numbers behind it."""

    part: PartName
    shown: str
    bar: str
    met: bool
    figures: Mapping[str, object]


def encoder_result(chunks: int, ingest_seconds: float, encoder_seconds: float, **more: object) -> Result:
    """Compare chunks a second end to end with the encoder alone on the same chunks."""
    share = encoder_seconds / ingest_seconds
    figures = {
        "chunks": chunks,
        "chunks_per_second": round(chunks / ingest_seconds, 2),
        "encoder_chunks_per_second": round(chunks / encoder_seconds, 2),
        "ingest_seconds": round(ingest_seconds, 2),
        "encoder_seconds": round(encoder_seconds, 2),
        "ratio": round(share, 3),
        **more,
    }
    shown = f"{share:.3f} = {chunks / ingest_seconds:.1f} / {chunks / encoder_seconds:.1f} (n = {chunks})"
    return Result("encoder", shown, f">= {ENCODER_SHARE}", share >= ENCODER_SHARE, figures)


def langchain_result(own: Mapping[str, float], other: Mapping[str, float]) -> Result:
    """Compare chunks a second; each side has ``chunks``, ``tokens`` and ``seconds``."""
    rates = [side["chunks"] / side["seconds"] for side in (own, other)]
    ratio = rates[0] / rates[1]
    token_ratio = (own["tokens"] / own["seconds"]) / (other["tokens"] / other["seconds"])
    shown = f"{ratio:.2f} = {rates[0]:.1f} / {rates[1]:.1f} (n = {own['chunks']:.0f}, {other['chunks']:.0f})"
    figures = {
        "ratio": round(ratio, 3),
        "ratio_by_tokens": round(token_ratio, 3),
        "own": dict(own),
        "langchain": dict(other),
    }
    return Result("langchain", shown, f">= {LANGCHAIN_RATIO}", ratio >= LANGCHAIN_RATIO, figures)


def unchanged_result(documents: int, embedded: int, seconds: float, process_seconds: float) -> Result:
    """Judge the second run: ``seconds`` of the ingest, ``process_seconds`` with the start of its process."""
    figures = {
        "documents": documents,
        "embedded": embedded,
        "seconds": round(seconds, 2),
        "process_seconds": round(process_seconds, 2),
    }
    met = embedded == 0 and process_seconds <= UNCHANGED_SECONDS
    shown = f"{process_seconds:.2f} s, {embedded} embedded (n = {documents})"
    return Result("unchanged", shown, f"<= {UNCHANGED_SECONDS} s, 0", met, figures)


def memory_result(small: Mapping[str, int], large: Mapping[str, int]) -> Result:
    """Compare peaks, less the size of the index; each side has ``chunks``, ``peak_bytes`` and ``index_bytes``."""
    rest = [side["peak_bytes"] - side["index_bytes"] for side in (small, large)]
    ratio = rest[1] / rest[0]
    shown = f"{ratio:.2f} = {rest[1] / 1e6:.0f} MB / {rest[0] / 1e6:.0f} MB (n = {large['chunks']}, {small['chunks']})"
    figures = {"ratio": round(ratio, 3), "small": dict(small), "large": dict(large)}
    return Result("memory", shown, f"<= {MEMORY_RATIO}", ratio <= MEMORY_RATIO, figures)


def kills_result(clean: int, kills: int, **more: object) -> Result:
    """Judge the kills: all must leave a sound knowledge base that the next run completes."""
    figures = {"clean": clean, "kills": kills, **more}
    return Result("kills", f"{clean} / {kills}", f"{kills} / {kills}", clean == kills, figures)
