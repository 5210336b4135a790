"""Words for a second search: which articles would answer this, in the words of a manual.

Customers and documents name the same thing differently ("paid, and the app acts as if I had not", "license
activation"), and neither words nor vectors bridge all of that.  Asked which pages would answer a message, even a small
model names likely titles.  What is found by these stands behind the best that the customer's own words find, and is
read with it (query expansion by a language model: Wang, Yang and Wei, doi:10.18653/v1/2023.emnlp-main.585).

A call takes some two seconds on two quick cores, so only a question of whose passages the search is less sure than
``SURE_PROBABILITY`` is expanded, and only where prompts are read at ``QUICK_TOKENS_A_SECOND``.  Of 212 customers' texts
over three companies' pages, with the 1.5B stand-in and 420 tokens to read:

    expanded below    calls    document shown    facts shown    facts read    in the best match
    never                 0               185            179           152                  105
    .70                  35               187            180           153                  104
    .75                  71               189            182           157                  103

Tried besides: the prompt alone, without the system message and with the company's name (189, 182, 155 and 111 below
.70, but the answer's prompt is then read anew, some four seconds); titles of the nearest documents beside the question
(the model repeats them, and less is found than without).
"""

import re
from collections.abc import Generator as GeneratorObject
from collections.abc import Sequence
from contextlib import closing

from rag.generation.answer import AnswerRequest, SearchAgain
from rag.generation.prompt import as_data, beginning
from rag.protocols import GeneratedText, Generator, Message
from rag.schema import Event, Language

SURE_PROBABILITY = 0.75
"""Of the shipped fit (``rag/retrieval/confidence.py``), in [0, 1]."""

QUICK_TOKENS_A_SECOND = 50.0
"""From this pace on, in the embedder's tokens, the call is worth its time."""

_MOST_TITLES = 3
_MOST_TOKENS = 60
_LONGEST_TITLE_CHARACTERS = 100
_MARKS = re.compile(r"^[\s\d.)、*#\-–•\"'“”‘’《》「」]+|[\s*\"'“”‘’《》「」]+$")

_ASKED: dict[Language, str] = {
    "en": "A customer writes:\n{question}\n\nWhich pages of the documents would answer this? Write only two or three "
    "likely titles, in the words of a product manual, one a line.",
    "zh": "顾客来信：\n{question}\n\n哪几篇资料能回答？只写两三个可能的标题，用产品手册的用语，每行一个。",
}


def with_second_search(
    request: AnswerRequest, search_again: SearchAgain, generator: Generator
) -> GeneratorObject[Event, None, AnswerRequest]:
    """Ask the model for other words, search with them, yield what was found, and return the request with it.

    The request is returned as it is where nothing more was found.  Raises what the generator raises.
    """
    with request.trace.span("expand"):
        words = expansion(generator, request.in_context, request.language)
        found = search_again(words) if words else None
    if found is None:
        return request
    again, retrieved = found
    yield retrieved
    return again


def expansion(generator: Generator, question: str, language: Language) -> str:
    """Return likely titles of the pages that answer a question, joined by blanks; empty where none came."""
    with closing(generator.generate(_messages(question, language), think=False, max_tokens=_MOST_TOKENS)) as parts:
        written = "".join(part.text for part in parts if isinstance(part, GeneratedText))
    titles = (_MARKS.sub("", line)[:_LONGEST_TITLE_CHARACTERS] for line in written.splitlines())
    return " ".join([title for title in titles if title][:_MOST_TITLES])


def _messages(question: str, language: Language) -> Sequence[Message]:
    """Return the prompt; it begins as all do, or the answer behind it would find nothing in the prefix cache."""
    return [*beginning(), Message("user", _ASKED[language].format(question=as_data(question)))]
