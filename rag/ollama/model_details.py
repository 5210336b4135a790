"""Reads a model's details from Ollama (``/api/show``)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.ollama.gguf import Tensor
from rag.ollama.templates import NO_TEMPLATE

RECONSTRUCTED = "general.reconstructed_from"
"""A key of our own in a file's header: from what an F16 file was reconstructed.  Ollama keeps it when it quantizes."""

MERGED_FROM = "answerdesk.merged_from"
"""A key of our own in a tuned model's header: the model that its adapter was merged into.

Ollama puts the architecture's name before it when it quantizes (fs/ggml/gguf.go, ggufWriteKV)."""

UNQUANTIZED = ("F16", "BF16", "F32")


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """A model's details as Ollama tells them.

    ``file`` is where its weights lie on Ollama's machine; ``metadata`` and ``tensors`` are the file's own, without the
    vocabulary; ``capabilities`` are Ollama's words (``completion``, ``thinking``, ``vision``, ``embedding``).
    """

    template: str
    parameters: Mapping[str, object]
    quantization: str
    capabilities: tuple[str, ...]
    file: str
    metadata: Mapping[str, object]
    tensors: tuple[Tensor, ...]

    @property
    def has_template(self) -> bool:
        """Tell whether the model has a chat format; Ollama gives those without one a template that only passes on."""
        return self.template.strip() not in ("", NO_TEMPLATE)

    @property
    def thinks(self) -> bool:
        """Tell whether the model can think before it answers."""
        return "thinking" in self.capabilities

    @property
    def sees(self) -> bool:
        """Tell whether the model can be shown pictures."""
        return "vision" in self.capabilities

    @property
    def reconstructed_from(self) -> str:
        """Return the quantization that its F16 was reconstructed from; empty for the makers' own weights."""
        return str(self.metadata.get(RECONSTRUCTED, ""))

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "ModelDetails":
        """Read ``/api/show``'s answer."""
        source = re.search(r"^FROM (/.*|[A-Za-z]:.*)$", str(answer.get("modelfile", "")), re.MULTILINE)
        return cls(
            template=str(answer.get("template", "")),
            parameters=_parameters(str(answer.get("parameters", ""))),
            quantization=str(answer.get("details", {}).get("quantization_level", "")),
            capabilities=tuple(answer.get("capabilities") or ()),
            file=source.group(1) if source else "",
            metadata=answer.get("model_info") or {},
            tensors=tuple(
                Tensor(str(row["name"]), str(row["type"]), tuple(row["shape"])) for row in answer.get("tensors") or ()
            ),
        )


def _parameters(text: str) -> dict[str, object]:
    """Read the lines of a Modelfile's parameters; a name that comes again makes a list, as stop marks do."""
    found: dict[str, object] = {}
    for line in text.splitlines():
        name, _, said = line.partition(" ")
        try:
            value = json.loads(said.strip())
        except ValueError:
            value = said.strip()
        if name == "stop":
            earlier = found.get(name)
            value = [*(earlier if isinstance(earlier, list) else []), value]
        found[name] = value
    return found
