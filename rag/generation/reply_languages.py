"""Wordings in a third language, in which there are no documents: the request for a reply, the refusal, "not found".

``reply_languages.json`` has the wordings of 15 languages.  For others, the model is asked in English to reply in the
language, and the product's own sentences are in English.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDING_PATH = Path(__file__).with_name("reply_languages.json")
_REPLY = "Reply to the customer in {english} ({own}), in one to four plain sentences."
_INSIST = "Answer in {english} ({own})."


@dataclass(frozen=True, slots=True)
class ReplyLanguage:
    """A language with its ``english``, ``chinese`` and ``own`` names and its wordings.

    ``reply`` is the request at the end of the prompt; ``insist`` follows it if the first reply was in another language.
    ``nothing_near`` and ``not_in_passages`` begin a refusal, ``nearest`` names ``{titles}``, ``handoff`` ends it,
    or ``customer_handoff`` for the public; all are empty if the refusal is in English.
    """

    english: str
    chinese: str
    own: str
    reply: str = _REPLY
    insist: str = _INSIST
    nothing_near: str = ""
    not_in_passages: str = ""
    nearest: str = ""
    handoff: str = ""
    customer_handoff: str = ""

    @property
    def wish(self) -> str:
        """The request for a reply, in the language itself if its wording is known."""
        return self.reply.format(english=self.english, own=self.own)

    @property
    def demand(self) -> str:
        """The repeated demand for the language."""
        return self.insist.format(english=self.english, own=self.own)


def reply_language(code: str) -> ReplyLanguage:
    """Return the wording of one of ``THIRD_LANGUAGES``.

    >>> reply_language("de").demand, reply_language("sv").demand
    ('Antworte auf Deutsch.', 'Answer in Swedish (svenska).')
    """
    return _languages()[code]


_NOT_FOUND = {
    "de": re.compile(
        r"\b(?:dokument\w*|unterlagen|artikel\w*|texte?n?|informationen|wissensdatenbank)\b.{0,60}\b(?:kein\w*|nicht|nichts)\b"
        r"|\b(?:kein\w*|nicht|nichts)\b.{0,50}\b(?:dokument\w*|unterlagen|wissensdatenbank)\b"
        r"|kann\b.{0,40}\bnicht (?:weiter)?(?:helfen|beantworten)",
        re.IGNORECASE,
    ),
    "fr": re.compile(
        r"\b(?:documents?|articles?|documentation|informations?|passages?)\b.{0,60}\b(?:pas|aucune?|rien)\b"
        r"|\b(?:pas|aucune?|rien)\b.{0,50}\b(?:documents?|documentation|informations?)\b"
        r"|ne peux pas (?:vous )?(?:aider|répondre|fournir)",
        re.IGNORECASE,
    ),
    "es": re.compile(
        r"\b(?:documentos?|artículos?|documentación|información|textos?)\b.{0,60}\bno\b"
        r"|\b(?:no|ninguna?|nada)\b.{0,50}\b(?:documentos?|documentación|información)\b"
        r"|no puedo (?:ayudar|responder|proporcionar)",
        re.IGNORECASE,
    ),
    "pt": re.compile(
        r"\b(?:documentos?|artigos?|documentação|informaç\w+|textos?)\b.{0,60}\bnão\b"
        r"|\b(?:não|nenhuma?|nada)\b.{0,50}\b(?:documentos?|documentação|informaç\w+)\b"
        r"|não (?:posso|consigo) (?:ajudar|responder|fornecer)",
        re.IGNORECASE,
    ),
    "it": re.compile(
        r"\b(?:document\w+|articol\w+|informazion\w+|test\w)\b.{0,60}\bnon\b"
        r"|\b(?:non|nessun\w*)\b.{0,50}\b(?:document\w+|informazion\w+)\b"
        r"|non (?:posso|sono in grado di) (?:aiutar|risponder|fornir)",
        re.IGNORECASE,
    ),
    "nl": re.compile(
        r"\b(?:document\w*|artikel\w*|informatie|tekst\w*)\b.{0,60}\b(?:geen|niet|niets)\b"
        r"|\b(?:geen|niet|niets)\b.{0,50}\b(?:document\w*|informatie)\b"
        r"|kan\b.{0,40}\bniet (?:helpen|beantwoorden)",
        re.IGNORECASE,
    ),
    "pl": re.compile(
        r"\b(?:dokument\w*|artykuł\w*|informacj\w*|tekst\w*)\b.{0,60}\bnie\b"
        r"|\b(?:nie|brak)\b.{0,50}\b(?:dokument\w*|informacj\w*)\b"
        r"|nie mogę (?:pomóc|odpowiedzieć|udzielić)",
        re.IGNORECASE,
    ),
    "ru": re.compile(
        r"\b(?:документ\w*|стать\w*|информаци\w*|материал\w*|тексты?)\b.{0,60}\b(?:нет|не)\b"
        r"|\b(?:нет|не|отсутствует)\b.{0,50}\b(?:документ\w*|информаци\w*|материал\w*)\b"
        r"|не (?:могу|смогу) (?:вам )?(?:помочь|ответить|предоставить)",
        re.IGNORECASE,
    ),
    "ja": re.compile(
        r"(?:資料|文書|ドキュメント|記事|情報).{0,40}(?:ありません|ございません|含まれていません|記載されていません|見つかりません|ない|書かれていません)"
        r"|(?:お手伝い|お答え|回答)(?:することは)?できません",
        re.IGNORECASE,
    ),
    "ko": re.compile(
        r"(?:자료|문서|정보|내용).{0,40}(?:없습니다|없어요|않습니다|않았습니다)"
        r"|(?:도와드릴|도움을 드릴|답변드릴|답변할|제공할) 수 없",
        re.IGNORECASE,
    ),
    "vi": re.compile(
        r"\b(?:tài liệu|văn bản|thông tin|bài viết)\b.{0,60}\b(?:không|chưa)\b"
        r"|\b(?:không|chưa)\b.{0,40}\b(?:tài liệu|thông tin)\b"
        r"|không thể (?:giúp|trả lời|cung cấp|hỗ trợ)",
        re.IGNORECASE,
    ),
    "id": re.compile(
        r"\b(?:dokumen|artikel|informasi|teks)\b.{0,60}\b(?:tidak|belum)\b"
        r"|\b(?:tidak|belum)\b.{0,50}\b(?:dokumen|informasi)\b"
        r"|tidak (?:dapat|bisa) (?:membantu|menjawab|memberikan)",
        re.IGNORECASE,
    ),
    "ar": re.compile(
        r"(?:الوثائق|المستندات|الوثيقة|المقالات|المعلومات|النصوص).{0,60}(?:\bلا\b|\bلم\b|ليس)"
        r"|(?:\bلا\b|\bلم\b|ليس).{0,50}(?:الوثائق|المستندات|معلومات|المعلومات)"
        r"|لا (?:أستطيع|يمكنني|يمكننا) .{0,20}(?:مساعد|الإجابة|تقديم)",
        re.IGNORECASE,
    ),
    "th": re.compile(
        r"(?:เอกสาร|ข้อมูล|บทความ).{0,40}ไม่"
        r"|ไม่.{0,30}(?:เอกสาร|ข้อมูล)"
        r"|ไม่สามารถ(?:ช่วย|ตอบ|ให้ข้อมูล)",
        re.IGNORECASE,
    ),
    "tr": re.compile(
        r"\b(?:belge\w*|makale\w*|bilgi\w*|metin\w*)\b.{0,60}\b(?=[ydbi])(?:yok\w*|değil\w*|bulun\w*ma\w*|içermiyor\w*|belirtilme\w*)\b"
        r"|(?:yardımcı olam|cevap verem|yanıtlayam)",
        re.IGNORECASE,
    ),
}
"""How a reply says, in each language with a wording, that the documents lack the answer or the model will not help."""


def says_not_found_in(code: str, text: str) -> bool:
    """Tell whether a reply in a third language says that there is no answer; False if its wording is not known.

    >>> says_not_found_in("de", "Dazu steht in den Unterlagen nichts."), says_not_found_in("de", "Das kostet nichts.")
    (True, False)
    """
    pattern = _NOT_FOUND.get(code)
    return pattern is not None and pattern.search(text) is not None


@cache
def _languages() -> dict[str, ReplyLanguage]:
    wordings = json.loads(WORDING_PATH.read_text(encoding="utf-8"))
    return {code: ReplyLanguage(**wording) for code, wording in wordings.items()}
