"""The end of a customer's text: a closing, a name, an address, and what mail programs put below."""

import re
from collections.abc import Sequence

_SIGNATURE_MARK = re.compile(r"\s*+(?:--|—|––)\s*+")
_SENT_FROM = re.compile(
    r"\s*+(?:sent from (?:my|yahoo|mail|outlook)\b.{0,60}|get outlook for\b.{0,40}"
    r"|(?:发自|来自|从)(?:我的|网易|QQ)?.{0,30}(?:手机|iPhone|iPad|邮箱|Android|客户端|发送)[\s\S]{0,12})\s*",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\s*+(?:(?:with )?(?:best|kind|kindest|warm|many)?\s*+(?:regards|wishes|greetings)|best|sincerely|cheers|yours"
    r"(?: sincerely| faithfully| truly)?|(?:many )?thanks(?: in advance| a lot| so much)?|thank you(?: very much)?"
    r"|此致|敬礼|祝好|顺祝商祺|谢谢|多谢|万分感谢|祝(?:您)?(?:生活|工作)(?:愉快|顺利))\s*+[,，.。!！~]*+\s*+",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 7
_SIGNATURE_LINE_CHARACTERS = 60
_DISCLAIMER = re.compile(
    r"\s*+(?:(?:this|the) (?:e-?mail|message|communication)\b.{0,120}\b(?:confidential|intended|privileged)"
    r"|(?:confidentiality notice|disclaimer)\s*+[:：]|(?:本|此)(?:电子)?邮件.{0,40}(?:保密|机密|仅供))",
    re.IGNORECASE,
)


def without_signature(lines: Sequence[str]) -> str:
    r"""Return the lines above a closing and a signature, as one text with single blank lines.

    >>> without_signature(["Is it 30 days?", "", "Cheers", "Ann Lee"]), without_signature(["Thanks", "Is it free?"])
    ('Is it 30 days?', 'Thanks\nIs it free?')
    """
    kept: list[str] = []
    left = sum(line.strip() != "" for line in lines)
    for number, line in enumerate(lines):
        left -= line.strip() != ""
        if _SIGNATURE_MARK.fullmatch(line) or _DISCLAIMER.match(line):
            break
        if left <= _SIGNATURE_LINES and _CLOSING.fullmatch(line) and _is_signature(lines[number + 1 :]):
            break
        if not _SENT_FROM.fullmatch(line):
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _is_signature(rest: Sequence[str]) -> bool:
    """Tell whether the few lines below a closing are a name and an address, not a question."""
    words = [line for line in rest if line.strip()]
    short = all(len(line) <= _SIGNATURE_LINE_CHARACTERS for line in words)
    return short and not any(sign in line for line in words for sign in "?？。")
