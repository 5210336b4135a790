"""In which language a reply is written, told by other means than the product's: its script, and its small words.

The product asks a classifier (``rag/text/language.py``); a measure that asked it again would only find it
agreeing with itself.
"""

import re
import unicodedata
from functools import cache

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


def is_written_in(text: str, language: str) -> bool | None:
    """Tell whether a reply is written in a language (ISO 639-1); None where nothing here can tell.

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
