"""The refusal: it says that the knowledge base does not answer, and names the nearest articles and who can help."""

from collections.abc import Mapping, Sequence

from rag.generation.reply_languages import ReplyLanguage, reply_language
from rag.grounding.prompt_injection import is_name
from rag.retrieval.question import last_question
from rag.schema import Audience, Evidence, Language
from rag.text.markup import without_list_mark

_NEAREST_ARTICLES = 3
_SENTENCES: dict[Language, tuple[str, str, str, str]] = {
    "en": (
        "The knowledge base does not hold the answer to this question.",
        "The passages found do not answer this question.",
        " The nearest articles are: {titles}.",
        " Please hand it over to a colleague who can find out.",
    ),
    "zh": (
        "知识库中没有这个问题的答案。",
        "找到的资料不足以回答这个问题。",
        "最接近的文章：{titles}。",
        "请转交能进一步核实的同事处理。",
    ),
}
_CUSTOMERS_SENTENCES: dict[Language, tuple[str, str]] = {
    "en": ("Our documents do not answer this question.", " Our customer service can help you with it."),
    "zh": ("我们的资料中没有这个问题的答案。", "您可以联系客服，由客服为您核实。"),
}
"""The beginning and the end of a refusal that a customer reads, with no agent in between."""

_OTHER_PERIOD: dict[Language, tuple[str, str]] = {
    "en": (
        " Nearest of all is “{title}”, which held until {day}.",
        " Nearest of all is “{title}”, which holds from {day}.",
    ),
    "zh": ("最相近的《{title}》有效期至 {day}，现已失效。", "最相近的《{title}》自 {day} 起才生效。"),
}
_QUOTED: dict[Language, tuple[str, str]] = {"en": ("“{}”", ", "), "zh": ("《{}》", "、")}

_NOT_FOUND: dict[Language, str] = {"en": "The documents do not say this.", "zh": "资料中没有说明这一点。"}

_PARTS_NOT_COVERED: dict[Language, str] = {
    "en": " This reply does not cover {parts}: please check passage {number}, which may answer it.",
    "zh": "本回复没有说明{parts}：段落 {number} 中可能有答案，请核对。",
}
_PARTS_NOT_FOUND: dict[Language, str] = {
    "en": " Not found in our documents: {parts}. A colleague needs to look into this.",
    "zh": "资料中没有找到这个问题的答案：{parts}，需由同事进一步核实。",
}
"""Part of the reply, so words for the customer as well."""


def unanswered_parts_text(parts: Mapping[str, int], language: Language) -> str:
    """Return the sentences that name the unanswered parts of a question, without the story before each.

    ``parts`` maps each to the number of the passage that may answer it; 0 if none may.

    >>> unanswered_parts_text({"And what does it cost?": 0}, "en")
    ' Not found in our documents: “And what does it cost?”. A colleague needs to look into this.'
    >>> unanswered_parts_text({"And what does it cost?": 2}, "en")
    ' This reply does not cover “And what does it cost?”: please check passage 2, which may answer it.'
    """
    _, comma = _QUOTED[language]
    by_passage: dict[int, list[str]] = {}
    for part, number in parts.items():
        asked = without_list_mark(" ".join(last_question(part).split()))
        by_passage.setdefault(number, []).append(f"“{asked}”")
    return "".join(
        (_PARTS_NOT_COVERED if number else _PARTS_NOT_FOUND)[language].format(parts=comma.join(quoted), number=number)
        for number, quoted in sorted(by_passage.items(), reverse=True)
    )


def not_found_sentence(language: Language) -> str:
    """Return the sentence that tuning teaches a model for passages without the answer.

    The prompt asks for no such sentence (``prompt.py`` tells why).  The guard of replies recognises it
    (``rag.grounding.answered_parts.says_not_found``) and replaces it by the whole refusal.

    >>> not_found_sentence("en")
    'The documents do not say this.'
    """
    return _NOT_FOUND[language]


def refusal_text(
    evidence: Sequence[Evidence],
    language: Language,
    *,
    model_tried: bool = False,
    nearest_document: str = "",
    third_language: str = "",
    audience: Audience = "internal",
) -> str:
    """Return the refusal in the question's language, with up to three of the nearest articles for customers.

    Titles that hold instructions to the model, or tell it what to say, are not repeated.  ``model_tried`` means that
    the model read the passages and they did not answer.  ``nearest_document`` is the id of the first document found: if
    its rule has expired or is not in force yet, the refusal says so, for that may be the answer.  In a
    ``third_language`` the refusal is in that language if its wording is known, and omits rules of another time.
    The ``public`` audience is sent to customer service instead of being asked to hand the question over.
    """
    third = reply_language(third_language) if third_language else None
    nothing_near, not_in_passages, nearest, handoff = _sentences(language, third, audience)
    text = not_in_passages if model_tried else nothing_near
    quoted, comma = _QUOTED[language]
    titles = list(
        dict.fromkeys(passage.title for passage in evidence if _has_name(passage) and passage.may_be_passed_on)
    )
    if third is None or not third.handoff:
        text += _other_period_note(evidence, language, nearest_document)
    if not titles:
        return text + handoff
    names = comma.join(quoted.format(title) for title in titles[:_NEAREST_ARTICLES])
    return text + nearest.format(titles=names) + handoff


def _sentences(language: Language, third: ReplyLanguage | None, audience: Audience) -> tuple[str, str, str, str]:
    if third is not None and third.handoff:
        handoff = third.customer_handoff if audience == "public" else third.handoff
        return third.nothing_near, third.not_in_passages, third.nearest, handoff
    nothing_near, not_in_passages, nearest, handoff = _SENTENCES[language]
    if audience == "public":
        nothing_near, handoff = _CUSTOMERS_SENTENCES[language]
        not_in_passages = nothing_near
    return nothing_near, not_in_passages, nearest, handoff


def _other_period_note(evidence: Sequence[Evidence], language: Language, nearest_document: str) -> str:
    passage = next((candidate for candidate in evidence if candidate.document_id == nearest_document), None)
    if passage is None or passage.audience != "public" or not _has_name(passage):
        return ""
    held, will_hold = _OTHER_PERIOD[language]
    if passage.expired_on is not None:
        return held.format(title=passage.title, day=passage.expired_on.isoformat())
    return will_hold.format(title=passage.title, day=passage.starts_on.isoformat()) if passage.starts_on else ""


def _has_name(passage: Evidence) -> bool:
    return bool(passage.title) and is_name(passage.title)
