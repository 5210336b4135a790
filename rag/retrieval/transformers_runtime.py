"""Prepares torch and transformers for models of sentence-transformers: without the hub, quiet, with so many threads."""

import importlib.util
import os

from safetensors import SafetensorError

from rag.errors import TorchMissing

_NO_HUB = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")
"""Switches that huggingface_hub, and transformers through it, read when they are imported: the folder holds all."""

LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)
"""The libraries' errors for a folder without a usable model."""


def prepare_transformers(threads: int = 0) -> None:
    """Import torch and transformers, which takes seconds; ``threads`` 0 leaves torch's choice.

    Raises ``TorchMissing``.
    """
    for switch in _NO_HUB:
        os.environ.setdefault(switch, "1")
    if importlib.util.find_spec("torch") is None:
        raise TorchMissing
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    if threads:
        torch.set_num_threads(threads)


def loading_options() -> dict[str, object]:
    """Return the options for loading a model: safetensors only, and float32 on a CPU."""
    import torch

    options: dict[str, object] = {"use_safetensors": True}
    return options if torch.cuda.is_available() else {**options, "dtype": "float32"}
