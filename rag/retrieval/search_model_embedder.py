"""The embedder that the settings name: any model of sentence-transformers, with its own prompts, pooling and dimension.

A model's folder has its usage: ``config_sentence_transformers.json`` the prompts of questions and passages,
``modules.json`` the pooling.  Its tokens for late interaction are its last hidden states less the mean token of a few
fixed texts, as with the built-in embedder, which has another mean token.
"""

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tokenizers import Tokenizer

from rag.errors import SearchModelUnusable
from rag.protocols import FloatMatrix, PassageVectors, QueryTokens, QueryVectors
from rag.retrieval.embedder_tokens import passage_tokens, query_tokens
from rag.retrieval.late_interaction import Span
from rag.retrieval.micro_batching import MicroBatcher
from rag.retrieval.model_folders import MAX_TOKENS, PASSAGE_PREFIX, QUERY_PREFIX, model_id_of
from rag.retrieval.transformers_runtime import LOADING_ERRORS, loading_options, prepare_transformers

logger = logging.getLogger(__name__)

CENTRE_TEXTS_PATH = Path(__file__).with_name("centre_texts.json")
"""Passages whose mean token is a model's centre.  With other texts, stored signs would have another meaning."""

_QUERY_PROMPTS = ("query", "search_query", "retrieval.query")
_PASSAGE_PROMPTS = ("document", "passage", "corpus", "search_document", "retrieval.passage")
"""Names that models give their prompts."""

_BATCH = 16
_REMEMBERED_TEXTS = 4_096
_SMALLEST_LENGTH = 1e-9

_Tokens = TypeVar("_Tokens")
_Keep = Callable[[Sequence[int], FloatMatrix], _Tokens]


class SearchModelEmbedder:
    """A model of sentence-transformers in float32, on a GPU in its own precision.  Safe to call from several threads.

    ``name`` is the settings' name of the model in ``folder``.  A model of several languages is expected; input longer
    than ``MAX_TOKENS``, or than what the model takes, is cut.  Raises ``SearchModelUnusable``.
    """

    def __init__(self, folder: Path, name: str, threads: int = 0) -> None:
        self._model_id = model_id_of(folder, name)
        prepare_transformers(threads)
        from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs=loading_options()
            )
        except LOADING_ERRORS as error:
            raise SearchModelUnusable(name=name, reason="broken") from error
        limit = self._model.max_seq_length or MAX_TOKENS
        if limit != math.inf:  # a static model reads everything, and no limit can be set
            limit = self._model.max_seq_length = min(limit, MAX_TOKENS)
        self._query_prompt, self._passage_prompt = prompts_of(self._model.prompts, name)
        self._lock = threading.Lock()
        backend = _backend_of(self._model.tokenizer)
        self._tokens = None if backend is None else _OwnTokens(backend, limit)
        self._dimension, self._centre = self._probe()
        if self._centre is None:
            logger.warning("%s gives no vectors of its tokens: searched without late interaction", name)
        self._questions = MicroBatcher(self._encode_queries)

    @property
    def model_id(self) -> str:
        """Name of the vector space."""
        return self._model_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    @property
    def has_late_interaction(self) -> bool:
        """Whether the model gives vectors of its tokens; without them passages are ranked by the other two scores."""
        return self._centre is not None

    @property
    def parameters(self) -> int:
        """The number of the model's weights."""
        return sum(one.numel() for one in self._model.parameters())

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        """Return the vectors of n questions; shares a batch with other threads' questions."""
        encoded = self._questions.encode(texts) if texts else ()
        return QueryVectors(self._matrix([vector for vector, _ in encoded]), tuple(tokens for _, tokens in encoded))

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return the vectors of n passages."""
        keep = partial(passage_tokens, centre=self._centre_or_zero())
        encoded = self._encode(texts, self._model.encode_document, self._passage_prompt, keep)
        return PassageVectors(self._matrix([vector for vector, _ in encoded]), tuple(tokens for _, tokens in encoded))

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        """Return the span of each of the passage's tokens in it, [start, end) in characters."""
        if self._tokens is None or self._centre is None:
            return []
        return self._tokens.spans(self._passage_prompt, passage)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text has, without prompt and special tokens."""
        if self._tokens is None:
            return len(self._model.tokenizer(text, add_special_tokens=False)["input_ids"])
        return self._tokens.count(text)

    def is_word(self, word: str) -> bool:
        """Tell whether a word in small letters is one of its tokens."""
        return self.count_tokens(word) == 1

    def _encode_queries(self, texts: Sequence[str]) -> list[tuple[FloatMatrix, QueryTokens]]:
        keep = partial(query_tokens, centre=self._centre_or_zero())
        return self._encode(texts, self._model.encode_query, self._query_prompt, keep)

    def _encode(
        self, texts: Sequence[str], encode: Callable[..., Any], prompt: str, keep: _Keep[_Tokens]
    ) -> list[tuple[FloatMatrix, _Tokens]]:
        """Return for each text its vector, float32 [dimension] of length 1, and what ``keep`` makes of its tokens."""
        with self._lock:
            found = self._outputs(texts, encode, prompt)
        return [
            (_unit_vector(one["sentence_embedding"].float().cpu().numpy()), keep(*self._own_tokens(text, prompt, one)))
            for text, one in zip(texts, found, strict=True)
        ]

    def _outputs(self, texts: Sequence[str], encode: Callable[..., Any], prompt: str) -> list[Mapping[str, Any]]:
        if not texts:
            return []
        found: list[Mapping[str, Any]] = encode(
            list(texts), prompt=prompt, batch_size=_BATCH, show_progress_bar=False, output_value=None
        )
        return found

    def _own_tokens(self, text: str, prompt: str, output: Mapping[str, Any]) -> tuple[Sequence[int], FloatMatrix]:
        """Return numbers [n] and states, float32 [n, dimension], of the text's own tokens; none if unknown."""
        nothing = np.empty((0, self._dimension), np.float32)
        if self._tokens is None or self._centre is None:
            return (), nothing
        own = self._tokens.own_states(text, prompt, output)
        return own if own is not None else ((), nothing)

    def _probe(self) -> tuple[int, FloatMatrix | None]:
        """Return the dimension, and the mean token of the centre's texts; None if the model gives no tokens."""
        texts: list[str] = json.loads(CENTRE_TEXTS_PATH.read_text(encoding="utf-8"))
        found = self._outputs(texts, self._model.encode_document, self._passage_prompt)
        dimension = len(found[0]["sentence_embedding"])
        if self._tokens is None:
            return dimension, None
        known = [self._tokens.own_states(*one) for one in zip(texts, repeat(self._passage_prompt), found, strict=False)]
        rows = [states for _, states in filter(None, known)]
        if len(rows) < len(texts) or any(one.shape[1] != dimension for one in rows):
            return dimension, None
        return dimension, np.asarray(np.concatenate(rows).mean(axis=0), dtype=np.float32)

    def _centre_or_zero(self) -> FloatMatrix:
        return np.zeros(self._dimension, np.float32) if self._centre is None else self._centre

    def _matrix(self, rows: Sequence[FloatMatrix]) -> FloatMatrix:
        return np.stack(rows) if rows else np.empty((0, self._dimension), dtype=np.float32)


def prompts_of(prompts: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the model's own prompts before a question and before a passage.

    The E5 models were trained with prefixes that their folders do not name.

    >>> prompts_of({"query": "Instruct: find it. Query: "}, "Qwen/Qwen3-Embedding-0.6B")
    ('Instruct: find it. Query: ', '')
    >>> prompts_of({}, "intfloat/multilingual-e5-large")
    ('query: ', 'passage: ')
    """
    query, passage = (
        next((prompts[key] for key in keys if prompts.get(key)), "") for keys in (_QUERY_PROMPTS, _PASSAGE_PROMPTS)
    )
    if not query and not passage and "e5" in Path(name).name.lower().split("-"):
        return QUERY_PREFIX, PASSAGE_PREFIX
    return query, passage


def _backend_of(tokenizer: Any) -> Tokenizer | None:  # noqa: ANN401 - transformers has many classes
    """Return the tokenizer that knows its tokens' offsets; None for one that is written in Python."""
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    return tokenizer.backend_tokenizer if getattr(tokenizer, "is_fast", False) else None


class _OwnTokens:
    """Separates a text's own tokens from its prompt's and special ones; a model reads at most ``limit`` of them."""

    def __init__(self, tokenizer: Tokenizer, limit: float) -> None:
        # a copy: the library's truncation is a state that counting and encoding would share
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._limit = limit
        self._remembered = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._tokenize)
        self.count = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._count)

    def spans(self, prompt: str, text: str) -> list[Span]:
        """Return the span of each of the text's own tokens in it."""
        return list(self._remembered(prompt, text).spans)

    def own_states(self, text: str, prompt: str, output: Mapping[str, Any]) -> tuple[Sequence[int], FloatMatrix] | None:
        """Return numbers and states of the own tokens in a model's ``output``; None if its tokens differ from ours."""
        if "token_embeddings" not in output or "input_ids" not in output:
            return None
        there = output["attention_mask"].cpu().numpy().astype(bool)
        ours = self._remembered(prompt, text)
        if tuple(output["input_ids"].cpu().numpy()[there].tolist()) != ours.numbers:
            return None
        states = output["token_embeddings"].float().cpu().numpy()[there]
        return [ours.numbers[place] for place in ours.own], states[list(ours.own)]

    def _tokenize(self, prompt: str, text: str) -> "_TokenizedText":
        encoding = self._tokenizer.encode(prompt + text)
        special = encoding.special_tokens_mask
        kept = _kept_places(special, self._limit)
        before = len(prompt)
        ours = [(place, *encoding.offsets[at]) for place, at in enumerate(kept) if not special[at]]
        ours = [(place, max(0, start - before), end - before) for place, start, end in ours if end > before]
        return _TokenizedText(
            tuple(encoding.ids[at] for at in kept),
            tuple(place for place, _, _ in ours),
            tuple((start, end) for _, start, end in ours),
        )

    def _count(self, text: str) -> int:
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return len(encoding)


@dataclass(frozen=True, slots=True)
class _TokenizedText:
    """All tokens that a model reads of a prompt and a text; the places of the text's own, and their spans in it."""

    numbers: tuple[int, ...]
    own: tuple[int, ...]
    spans: tuple[Span, ...]


def _kept_places(special: Sequence[int], limit: float) -> list[int]:
    """Return the places of the tokens that a model reads: a long text loses its end, not the special tokens."""
    behind = next((count for count, mark in enumerate(reversed(special)) if not mark), len(special))
    places = list(range(len(special)))
    return places if len(places) <= limit else [*places[: int(limit) - behind], *places[len(places) - behind :]]


def _unit_vector(vector: FloatMatrix) -> FloatMatrix:
    """Return the vector at length 1: passages are compared by their cosines, whatever the model was trained with."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), _SMALLEST_LENGTH), dtype=np.float32)
