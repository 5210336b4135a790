"""Query expansion for a second search: titles of articles that would answer the question, in the words of a manual.

Customers and documents name the same thing differently ("paid, and the app acts as if I had not", "license
activation"), and neither lexical nor dense search bridges every such gap.  Asked which pages would answer a message,
even a small model names likely titles.  Their passages follow the best ones that the customer's own words find, and the
model reads both (Wang, Yang and Wei, doi:10.18653/v1/2023.emnlp-main.585).

A call takes about two seconds on two fast cores, so it is made only if the answer probability is below
``SURE_PROBABILITY`` and prompts are read at ``QUICK_TOKENS_A_SECOND`` or more.  Of 212 customers' texts over three
companies' pages, with the 1.5B stand-in and 420 tokens to read:

    expanded below    calls    document shown    facts shown    facts read    in the best match
    never                 0               185            179           152                  105
    .70                  35               187            180           153                  104
    .75                  71               189            182           157                  103

Also tried: without the system message, with the company's name (189, 182, 155 and 111 below .70, but then the answer's
prompt is not cached, which costs about four seconds); with the titles of the nearest documents (the model repeats them,
and less is found than without).
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
"""From this speed on, in the embedder's tokens, the call is worth its time."""

_MOST_TITLES = 3
_MOST_TOKENS = 60
_LONGEST_TITLE_CHARACTERS = 100
_MARKS = re.compile(r"^[\s\d.)、*#\-–•\"'“”‘’《》「」]+|[\s*\"'“”‘’《》「」]+$")

_REQUEST: dict[Language, str] = {
    "en": "A customer writes:\n{question}\n\nWhich pages of the documents would answer this? Write only two or three "
    "likely titles, in the words of a product manual, one a line.",
    "zh": "顾客来信：\n{question}\n\n哪几篇资料能回答？只写两三个可能的标题，用产品手册的用语，每行一个。",
}


def with_second_search(
    request: AnswerRequest, search_again: SearchAgain, generator: Generator
) -> GeneratorObject[Event, None, AnswerRequest]:
    """Ask the model for titles, search with them, yield the passages, and return the request with them.

    If nothing new is found, the request is returned unchanged.  Raises the generator's errors.
    """
    with request.trace.span("expand"):
        words = expansion(generator, request.in_context, request.language)
    result = search_again(words) if words else None
    if result is None:
        return request
    expanded, retrieved = result
    yield retrieved
    return expanded


def expansion(generator: Generator, question: str, language: Language) -> str:
    """Return likely titles of pages that answer a question, joined by blanks; empty if the model names none."""
    with closing(generator.generate(_messages(question, language), think=False, max_tokens=_MOST_TOKENS)) as parts:
        text = "".join(part.text for part in parts if isinstance(part, GeneratedText))
    titles = (_MARKS.sub("", line)[:_LONGEST_TITLE_CHARACTERS] for line in text.splitlines())
    return " ".join([title for title in titles if title][:_MOST_TITLES])


def _messages(question: str, language: Language) -> Sequence[Message]:
    """Return the prompt; it begins as all do, so that the answer's prompt is still in the prefix cache."""
    return [*beginning(), Message("user", _REQUEST[language].format(question=as_data(question)))]
