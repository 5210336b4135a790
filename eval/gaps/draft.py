"""The beginning of the article that a topic calls for, in Markdown as ``python -m ingest`` reads it."""

import json

from eval.gaps.report import Topic
from rag.schema import Language
from rag.translate import translate

_LONGEST_QUESTION_CHARACTERS = 200
_LONGEST_TITLE_CHARACTERS = 80
_MOST_QUESTIONS = 20


def draft_article(topic: Topic, language: Language) -> str:
    """Return the draft: its title, and the questions that it must answer, those in its language first.

    A whole mail is cut to its first words: what customers tell of themselves has no place in an article.
    """
    title = shortened(topic.title(language), _LONGEST_TITLE_CHARACTERS)
    asked = sorted(topic.questions, key=lambda one: one.language != language)[:_MOST_QUESTIONS]
    times = ", ".join(
        translate(f"eval_gaps.{trouble}_count", language, n=count) for trouble, count in topic.troubles.items()
    )
    notes = [translate("eval_gaps.draft_asked", language, n=topic.count, how=times)]
    if topic.nearest is not None:
        where = topic.nearest
        notes.append(translate("eval_gaps.draft_nearest", language, title=where.title, article=where.document_id))
    lines = [
        "---",
        f"title: {json.dumps(title, ensure_ascii=False)}",  # a JSON string is one in YAML, whatever is in it
        f"language: {language}",
        "---",
        f"# {title}",
        "",
        f"## {translate('eval_gaps.draft_questions', language)}",
        "",
        *(f"- {shortened(question.text, _LONGEST_QUESTION_CHARACTERS)}" for question in asked),
        "",
        f"## {translate('eval_gaps.draft_answer', language)}",
        "",
        *(f"> {note}" for note in [*notes, translate("eval_gaps.draft_remove", language)]),
    ]
    return "\n".join(lines) + "\n"


def shortened(text: str, longest: int) -> str:
    r"""Return a text as one line of at most so many characters.

    >>> shortened("Hello,  my kettle\nleaks.", 12)
    'Hello, my k…'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
