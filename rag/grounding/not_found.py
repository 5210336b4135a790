"""Recognises a reply that says the passages do not hold the answer, so that it counts as the refusal that it is."""

import re

from rag.grounding.citations import states_nothing
from rag.text.sentences import split_sentences
from rag.text.statements import read_statement

_SOURCE = r"(?:documents?|passages?|information|text|articles?|knowledge base|materials?)"
_SAYS = r"(?:say|tell|mention|specif(?:y|ied)|state|contain|provide|include|cover|address|give|indicate|describe|list)"
_NOT_SAID = re.compile(
    rf"{_SOURCE}\b.{{0,40}}?\b(?:do|does|did)(?: not|n['’]t) (?:\w+ )?{_SAYS}"
    rf"|\b(?:not|n['’]t) (?:\w+ )?(?:mentioned|specified|stated|provided|given|covered|included|available)"
    rf" (?:in|by|within) (?:\w+ ){{0,3}}{_SOURCE}"
    rf"|\b(?:there is|there[’']s|i have|i could find|contains?|provides?) no (?:\w+ )?{_SOURCE}"
    r" (?:about|on|regarding|in|for|that|to)"
    r"|\b(?:leaves?|left) (?:\w+ ){0,3}open\b"
    r"|(?:资料|文件|文档|文章|知识库)(?:中|里|内|上)?.{0,16}?(?:没有|未|并无)(?:明确|具体|直接)?(?:说明|提到|提及|提供|给出|包含|涉及|列出|规定)"
    r"|^(?:没有|未|暂无)(?:明确|具体|相关)?(?:说明|提到|提及|信息|资料)"
    r"|没有(?:找到|提供|关于|相关).{0,24}?(?:信息|说明|内容|资料|规定)",
    re.IGNORECASE,
)


def says_not_found(text: str) -> bool:
    """Tell whether a reply begins by saying that the passages do not hold the answer, and gives no figure besides.

    >>> says_not_found("The documents do not say."), says_not_found("30 days. The documents do not say more.")
    (True, False)
    """
    sentences = [text[span.start : span.end] for span in split_sentences(text)]
    first = next((at for at, sentence in enumerate(sentences) if _NOT_SAID.search(sentence)), None)
    if first is None or not all(states_nothing(sentence) for sentence in sentences[:first]):
        return False
    rest = [read_statement(sentence) for sentence in sentences[first + 1 :]]
    return not any(statement.quantities or statement.codes for statement in rest)
