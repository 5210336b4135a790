"""Configures a fallback model to behave like DeepSeek-R1: Qwen's chat format with R1's thinking.

Where DeepSeek-R1 cannot be had, a model of the same architecture and speed takes its place.  It gets R1's protocol, so
that everything around it is the same: with ``think`` its turn begins inside ``<think>``, without it behind an empty
thought, and a last assistant message that carries ``thinking`` is continued behind that thought.
"""

from rag.ollama.client import ModelRecipe
from rag.ollama.templates import FORMATS
from rag.setup.packages import PackagedFile

_FORMAT = FORMATS["chatml-think"]

# What the model's makers recommend (generation_config.json of Qwen2.5-Coder-Instruct).
_SAMPLING = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repeat_penalty": 1.1}


def stand_in_recipe(name: str, file: PackagedFile) -> ModelRecipe:
    """Return how Ollama makes the stand-in ``name`` from its file."""
    return ModelRecipe(
        name=name,
        file_name=file.file,
        sha256=file.sha256,
        template=_FORMAT.template,
        stop=_FORMAT.stop,
        parameters=_SAMPLING,
        licence=f"{file.made_of}, {file.licence}",
    )
