"""Converts figures of third languages to English ones: ``4,95 €``, ``30 Tage``, ``٣٠ يوماً``.

The words of a German sentence cannot be compared with those of an English document, but its figures, units and codes
can (``rag/grounding``).  So only these are kept, with decimal points and English units.  Unknown units are left out:
then the bare number is compared.
"""

import re
import unicodedata

_UNITS = {
    "working days": "werktage?n?|arbeitstage?n?|jours? (?:ouvrables?|ouvrés?)|días? (?:hábil(?:es)?|laborables?)"
    "|dias? (?:úteis|útil)|giorn[io] lavorativ[io]|werkdag(?:en)?|dni robocz[a-z]+|рабоч[а-я]+ (?:дн[а-я]+|день)"
    "|ngày làm việc|hari kerja"
    "|(?:أيام|يوم|يوما|يوماً) عمل|iş günü|営業日|영업일|วันทำการ",
    "days": "tage?n?|jours?|días?|dias?|giorn[io]|dag(?:en)?|dni|dzień|дн[а-я]{1,3}|день|ngày|hari|أيام|يوم|يوما|يوماً"
    "|gün|日間?|일|วัน",
    "hours": "stunden?|heures?|horas?|or[ae]|uur|godzin[a-z]*|час[а-я]*|giờ|tiếng|jam|ساعات|ساعة|saat|時間|시간|ชั่วโมง",
    "minutes": "minuten?|minutes?|minutos?|minut[ioay]?|минут[а-я]*|phút|menit|دقائق|دقيقة|dakika|分間?|분|นาที",
    "weeks": "wochen?|semaines?|semanas?|settiman[ae]|weken|tygodni[ae]?|недел[а-я]*|tuần|minggu|أسابيع|أسبوع|أسبوعا"
    "|hafta|週間?|주|สัปดาห์",
    "months": "monate?n?|mois|mes(?:es)?|mês|mes[ei]|maand(?:en)?|miesi[a-ząęć]+|месяц[а-я]*|tháng|bulan|أشهر|شهر|شهرا"
    "|شهراً|ay|[かヶカケ箇]月間?|개월|เดือน",
    "years": "jahre?n?|ans?|années?|años?|anos?|ann[io]|jaar|lata?|rok|год[а-я]*|лет|năm|tahun|سنوات|سنة|أعوام|عام|yıl"
    "|年間?|년|ปี",
    "EUR": "€|евро|يورو|euros?|ユーロ|유로|ยูโร",
    "GBP": "£|pfund|livres?(?: sterling)?|libras?(?: esterlinas)?|sterline|фунт[а-я]*|جنيه|bảng(?: anh)?"
    "|ポンド|파운드|ปอนด์",
    "%": "%|prozent|pour cent|por ciento|por cento|процент[а-я]*|phần trăm|persen|بالمئة|パーセント|퍼센트",
}
_SCRIPTS_WITHOUT_SPACES = "\u0e01-\u0e4e\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7af"
_UNIT = re.compile(
    r"(?<=\d)\s*+-?(?:"
    + "|".join(f"(?P<u{place}>{words})" for place, words in enumerate(_UNITS.values()))
    + rf")(?:(?<=[{_SCRIPTS_WITHOUT_SPACES}%€£])|(?!\w))"
)
_ENGLISH = tuple(_UNITS)
_EDGE_OF_NUMBER = re.compile(
    rf"(?<=[{_SCRIPTS_WITHOUT_SPACES}])(?=[A-Za-z\d])|(?<=[A-Za-z\d])(?=[{_SCRIPTS_WITHOUT_SPACES}])"
)
_CURRENCY_SIGN = re.compile(r"[€£]\s*(?=\d)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[.\s'’]\d{3})+(?![\d.])")
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d{1,2})(?![\d,])")
_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?!\w|-\d)")
_KEPT = re.compile(
    r"working|days|hours|minutes|weeks|months|years|(?i:eur|gbp|usd|cny|chf|nok|jpy|hkd|kg|g|mg|mm|cm|m|km|ml|l|w|kw|kwh|wh"
    r"|mah|v|a|hz|mhz|ghz|kb|mb|gb|tb|db|ms|min|h|am|pm)"
)
_POINT_IS_DECIMAL = frozenset({"ja", "ko", "th", "he", "hi", "bn"})


def figures_in_english(text: str, language: str) -> str:
    """Return the figures with their units and the codes of a sentence in a third language; the rest is blank.

    >>> figures_in_english("Sie haben 30 Tage Zeit, das Etikett kostet 4,95 €.", "de").split()
    ['30', 'days', ',', '4.95', 'EUR', '.']
    >>> figures_in_english("L-29 表示は 3分 で消えます", "ja").split()
    ['L-29', '3', 'minutes']
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in plain)
    if language not in _POINT_IS_DECIMAL:
        plain = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[0]), plain)
        plain = _DECIMAL_COMMA.sub(r"\1.\2", plain)
    plain = _CURRENCY_SIGN.sub(lambda match: f"{'EUR' if match[0][0] == '€' else 'GBP'} ", plain)
    plain = _UNIT.sub(lambda match: f" {_ENGLISH[int((match.lastgroup or 'u0')[1:])]} ", _lowered_words(plain))
    plain = _EDGE_OF_NUMBER.sub(" ", plain)
    return _WORD.sub(lambda match: match[0] if _KEPT.fullmatch(match[0]) else " ", plain)


def _lowered_words(text: str) -> str:
    """Return text with its words in lower case, except currencies, units and codes in capitals."""
    return re.sub(
        r"(?<!\w)[^\W\d_]{2,}(?!\w)", lambda match: match[0] if match[0].isupper() else match[0].lower(), text
    )
