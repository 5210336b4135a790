"""Replies by the customer's language: written in it, and right.  Pure functions.

The language is recognised by other means than the product's, by script and small words.  The product asks a classifier
(``rag/text/language.py``); a measure that asked it again would only find it agreeing with itself.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

from eval.core.statistics import share_interval
from eval.desk.figures import Outcome
from rag.text.language import THIRD_LANGUAGES

_SCRIPTS = {
    "ko": "\uac00-\ud7af",
    "ja": "\u3041-\u3096\u30a1-\u30fa",
    "th": "\u0e01-\u0e4e",
    "ar": "\u0620-\u065f\u066e-\u06d3",
    "ru": "\u0400-\u04ff",
    "zh": "\u4e00-\u9fff",
}
_LEAST_SHARE = {"ja": 0.15, "zh": 0.3}
_USUAL_SHARE = 0.4
"""Of a reply's letters, but for Latin names with a capital, so many are of its script."""

# No English sentence is made of these.  What two of the languages share stands in both lists.
_SMALL_WORDS = {
    "de": """
        der das und ist nicht ich sie wir mein ihre ihren ihrem ein eine einen einem für wie wo wann kann können
        müssen muss haben hat bei auf aus dem den des zum zur mit von nach bitte kostet gibt wird werden noch auch
        oder wenn dass bis über nur sind zurück sich was im am um zu innerhalb sowie beträgt jahre monate tage es
    """,
    "fr": """
        le la les un une des du est et vous nous votre vos pour avec dans sur quand que qui pas ne au aux être cette
        ce ces si elle il sont peut pouvez ou par en de à dès jours jusqu a ans mois sera son sa leur vers après
        avant
    """,
    "es": """
        el los las un una es y usted su sus para con en cuando que por puede pueden tiene hay del al lo se esta este
        son si sí no de la más días o hasta como a ser fue cada desde meses años le
    """,
    "pt": """
        o os as um uma é e você seu sua seus suas para com em quando que por pode podem tem há do da dos das ao no
        na se esta este são sim não de mais até dia dias ou pelo pela a ser foi às sendo meses anos desde cada
    """,
    "it": """
        il lo gli le un una è e la per con in quando che può possono ha del della dei delle al alla si sono questo
        questa di ma più non anche se o entro fino giorni a essere mesi anni suo sua dal dalla
    """,
    "nl": """
        de het een is en u uw voor met in op wanneer kan kunnen moet heeft hebben van naar bij niet ook als dit deze
        zijn wij na om te binnen of dagen maanden jaar wordt
    """,
    "pl": """
        i w na z do się nie jest jak kiedy może można dla od po za to że przez są lub dni lat miesięcy
    """,
    "vi": """
        của là có không được thể khi cho bạn và với các này thì để phải sẽ trong ngày một đến hoặc từ cần khách hàng
        tháng năm nếu về cũng đã
    """,
    "id": """
        anda kami dapat bisa tidak untuk dengan yang di ke dari dan atau ini itu adalah akan hari dalam jika pada
        sebelum lebih selama lama berlaku bulan tahun harus karena oleh saat serta juga
    """,
    "tr": """
        ve bir bu için ile var yok değil olarak ama veya da de gün içinde kadar olan sizin ay yıl olur
    """,
    "en": """
        the and is are you your to of for with can if it not from this that be will within or have has by on in a an
    """,
}
_NAME = re.compile(r"[A-Z][A-Za-z0-9-]*(?: [A-Z0-9][A-Za-z0-9-]*)*")
_WORD = re.compile(r"[a-z\u00c0-\u024f\u1e00-\u1eff]+")

LANGUAGE_COLUMNS = ("n", "replies", "in_language", "answerable", "right", "refused", "unanswerable", "refused_rightly")


def is_written_in(text: str, language: str) -> bool | None:
    """Tell whether a reply is written in a language (ISO 639-1); None if undecidable.

    >>> is_written_in("Sie haben 30 Tage Zeit.", "de"), is_written_in("You have 30 days.", "de")
    (True, False)
    >>> is_written_in("返品は30日以内です。", "ja"), is_written_in("30 天内可以退货。", "ja")
    (True, False)
    """
    text = unicodedata.normalize("NFKC", text)
    if not any(map(str.isalpha, text)):
        return None
    if language in _SCRIPTS:
        letters = sum(map(str.isalpha, _NAME.sub(" ", text)))
        own = len(re.findall(f"[{_SCRIPTS[language]}]", text))
        is_japanese = language == "zh" and re.search(f"[{_SCRIPTS['ja']}]", text) is not None
        return own >= max(1, _LEAST_SHARE.get(language, _USUAL_SHARE) * letters) and not is_japanese
    if language not in _SMALL_WORDS:
        return None
    plain = unicodedata.normalize("NFC", text.lower())
    letters = sum(map(str.isalpha, plain))
    words = _WORD.findall(plain)
    scores = {name: sum(word in own for word in words) for name, own in _small_words().items()}
    latin = len(re.findall(r"[a-z\u00c0-\u024f\u1e00-\u1eff]", plain))
    return latin > letters / 2 and scores[language] > 0 and scores[language] == max(scores.values())


@cache
def _small_words() -> dict[str, frozenset[str]]:
    return {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}


def language_figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, object]]:
    """Return counts by language, and over ``all`` of them; empty where every case is Chinese or English.

    ``replies`` are the model's, whether they stand or a guard refused them, of which ``in_language`` are in the
    customer's.  ``right`` and ``refused`` are of the ``answerable``, ``refused_rightly`` of the ``unanswerable`` ones.
    ``intervals`` are 95 % intervals (Wilson) of the three shares.
    """
    languages = dict.fromkeys(one.case.language for one in outcomes)
    if not any(language in THIRD_LANGUAGES for language in languages):
        return {}
    groups = {language: [one for one in outcomes if one.case.language == language] for language in languages}
    return {name: _figures(group) for name, group in (*groups.items(), ("all", outcomes))}


def language_rows(figures: Mapping[str, Mapping[str, object]]) -> list[tuple[str, list[str]]]:
    """Return each language's name and its cells under ``LANGUAGE_COLUMNS``."""
    return [(name, [str(group[column]) for column in LANGUAGE_COLUMNS]) for name, group in figures.items()]


def _figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    written = [is_written_in(text, one.case.language) for one in outcomes if (text := _models_words(one))]
    known = [one for one in written if one is not None]
    answerable = [one for one in outcomes if one.case.answerable is True]
    others = [one for one in outcomes if one.case.answerable is False]
    counts = {
        "n": len(outcomes),
        "replies": len(known),
        "in_language": sum(known),
        "answerable": len(answerable),
        "right": sum(bool(one.right) for one in answerable),
        "refused": sum(one.refused for one in answerable),
        "unanswerable": len(others),
        "refused_rightly": sum(one.refused for one in others),
    }
    shares = (("in_language", "replies"), ("right", "answerable"), ("refused_rightly", "unanswerable"))
    return {**counts, "intervals": {name: share_interval(counts[name], counts[of]) for name, of in shares}}


def _models_words(one: Outcome) -> str:
    """Return the model's words; empty if it was not asked."""
    answer = one.record.answer
    return one.record.guards.draft or (answer.text if answer is not None and answer.lane == "model" else "")
