"""Opens the embedder named in the settings."""

from rag.protocols import Embedder
from rag.retrieval.embedder_folder import openvino_folder, reference_folder
from rag.settings import Settings


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder: OpenVINO in 8 bits, unless the settings ask for sentence-transformers.

    ``auto`` is OpenVINO on every machine: it needs no torch, and a GPU is the language model's.  The two share a vector
    space, so a large folder may be ingested on a GPU with the one and searched with the other.  Raises
    ``EmbedderMissing`` when its folder is not on this machine.
    """
    # Each brings its own engine along, which costs time and memory.
    if settings.embedder == "sentence-transformers":
        from rag.retrieval.reference_embedder import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(reference_folder(settings), settings.embedder_threads)
    from rag.retrieval.openvino_embedder import OpenVinoEmbedder

    return OpenVinoEmbedder(openvino_folder(settings), settings.embedder_threads)
