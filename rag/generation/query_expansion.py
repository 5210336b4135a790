"""Query expansion for a second search: the question in other words, or in the documents' other language.

Customers and documents name the same thing differently ("paid, and the app acts as if I had not", "license
activation"), and neither lexical nor dense search bridges every such gap.  Asked which pages would answer a message,
even a small model names likely titles.  Their passages follow the best ones that the customer's own words find, and the
model reads both (Wang, Yang and Wei, doi:10.18653/v1/2023.emnlp-main.585).  Where documents in the other language were
found, the model translates the question instead: it finds what only they say, and of their sentences those that answer.

A call takes about two seconds on two fast cores, so it is made only if prompts are read at ``QUICK_TOKENS_A_SECOND`` or
more and the answer probability is below ``SURE_PROBABILITY``, or documents in the other language match about as well.
Of 212 customers' texts over three companies' pages, with the 1.5B stand-in and 420 tokens to read, and of 80 unsure
ones over four companies' pages in two languages, with 480 tokens:

    expanded below    calls    document shown    facts shown    facts read    in the best match
    never                 0               185            179           152                  105
    .70                  35               187            180           153                  104
    .75                  71               189            182           157                  103

    two languages: no translation                 69             65            58
    a translation, where it finds better          74             69            66

Also tried: without the system message, with the company's name (189, 182, 155 and 111 below .70, but then the answer's
prompt is not cached, which costs about four seconds); with the titles of the nearest documents (the model repeats them,
and less is found than without); titles in the other language (docs/retrieval.md).
"""

import re
from collections.abc import Generator as GeneratorObject
from contextlib import closing

from rag.generation.answer import AnswerRequest, SecondSearch
from rag.generation.prompt import as_data, beginning
from rag.protocols import GeneratedText, Generator, Message
from rag.schema import Event, Language

SURE_PROBABILITY = 0.75
"""Of the shipped fit (``rag/retrieval/confidence.py``), in [0, 1]."""

TRANSLATED_LIKENESS = 0.84
"""The likeness of another language (``other_language_likeness``) from which on a sure question is translated, too."""

QUICK_TOKENS_A_SECOND = 50.0
"""From this speed on, in the embedder's tokens, the call is worth its time."""

_MOST_TITLES = 3
_MOST_TOKENS = 60
_LONGEST_TITLE_CHARACTERS = 100
_MARKS = re.compile(r"^[\s\d.)、*#\-–•\"'“”‘’《》「」]+|[\s*\"'“”‘’《》「」]+$")

_REQUEST_FOR_TITLES: dict[Language, str] = {
    "en": "A customer writes:\n{question}\n\nWhich pages of the documents would answer this? Write only two or three "
    "likely titles, in the words of a product manual, one a line.",
    "zh": "顾客来信：\n{question}\n\n哪几篇资料能回答？只写两三个可能的标题，用产品手册的用语，每行一个。",
}
_REQUEST_FOR_TRANSLATION: dict[Language, str] = {
    "en": "顾客来信：\n{question}\n\nTranslate the question into English. Write only the translation.",
    "zh": "A customer writes:\n{question}\n\nTranslate the question into Chinese. Write only the translation.",
}
"""By the language to translate into."""


def with_second_search(
    request: AnswerRequest, second: SecondSearch, generator: Generator
) -> GeneratorObject[Event, None, AnswerRequest]:
    """Ask the model for other words, search with them, yield the passages, and return the request with them.

    If nothing new is found, the request is returned unchanged.  Raises the generator's errors.
    """
    with request.trace.span("expand"):
        other_words = expansion if second.language == request.language else translation
        words = other_words(generator, request.in_context, second.language)
    result = second.search(words) if words else None
    if result is None:
        return request
    expanded, retrieved = result
    yield retrieved
    return expanded


def expansion(generator: Generator, question: str, language: Language) -> str:
    """Return likely titles of pages that answer a question, joined by blanks; empty if the model names none."""
    text = _written(generator, _REQUEST_FOR_TITLES[language], question)
    titles = (_MARKS.sub("", line)[:_LONGEST_TITLE_CHARACTERS] for line in text.splitlines())
    return " ".join([title for title in titles if title][:_MOST_TITLES])


def translation(generator: Generator, question: str, language: Language) -> str:
    """Return a question in ``language``, on one line; empty if the model writes nothing."""
    return " ".join(_written(generator, _REQUEST_FOR_TRANSLATION[language], question).split())


def _written(generator: Generator, request: str, question: str) -> str:
    """Return what the model writes; the prompt begins as all do, so that this beginning stays in the prefix cache."""
    messages = [*beginning(), Message("user", request.format(question=as_data(question)))]
    with closing(generator.generate(messages, think=False, max_tokens=_MOST_TOKENS)) as parts:
        return "".join(part.text for part in parts if isinstance(part, GeneratedText))
