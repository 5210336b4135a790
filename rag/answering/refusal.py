"""What is said when there is no answer that rests on the knowledge base: so, what is nearest, and who can help."""

from collections.abc import Sequence

from rag.schema import Evidence, Language

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
_QUOTED: dict[Language, tuple[str, str]] = {"en": ("“{}”", ", "), "zh": ("《{}》", "、")}


def refusal_text(evidence: Sequence[Evidence], language: Language, *, model_tried: bool = False) -> str:
    """Return the refusal in the question's language, naming up to three of the nearest articles for customers.

    ``model_tried`` means that the passages were near enough to be read, and did not hold the answer after all.
    """
    nothing_near, not_in_passages, nearest, handoff = _SENTENCES[language]
    said = not_in_passages if model_tried else nothing_near
    quoted, comma = _QUOTED[language]
    titles = list(dict.fromkeys(passage.title for passage in evidence if passage.title and _is_current(passage)))
    if not titles:
        return said + handoff
    names = comma.join(quoted.format(title) for title in titles[:_NEAREST_ARTICLES])
    return said + nearest.format(titles=names) + handoff


def _is_current(passage: Evidence) -> bool:
    return passage.audience == "public" and passage.is_in_force
