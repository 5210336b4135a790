"""Finds contact details in a text (hosts, mail addresses, telephone and account numbers), and dictated replies.

A false sentence in a new document looks like a rule of the company, but most frauds need an address of their own.  So
each address has a key that does not depend on its spelling, and an address that nobody has confirmed is marked beside
the answer (``confirmation.py``).  A sentence that says what to tell customers has a key as well, from its words.  Every
pattern takes time linear in the text.
"""

import hashlib
import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from rag.grounding.plain_reading import plain
from rag.grounding.prompt_injection import is_directive
from rag.text.characters import INVISIBLE
from rag.text.sentences import split_sentences

DetailKind = Literal["host", "mail", "phone", "account", "number", "directive"]

_LETTER = "a-z0-9\u00a1-\u02af\u0370-\u052f"  # not the unspaced scripts: "请访问example.com"
_DOT = r"(?:\.|[^\S\n]?[\[(](?:dot|\.)[\])][^\S\n]?|[^\S\n]dot[^\S\n])"
_AT = r"(?:@|[^\S\n]?[\[(](?:at|@)[\])][^\S\n]?)"
_MAIL = re.compile(
    rf"(?<![{_LETTER}.+_-])[{_LETTER}.+_-]{{1,64}}+{_AT}[{_LETTER}-]{{1,63}}+(?:{_DOT}[{_LETTER}-]{{1,63}}+){{1,8}}+"
)
_URL = re.compile(r"\b(?:https?|ftp|wss?)://(?P<place>[^\s/?#\"'<>()\[\]“”‘’（）「」，。；、]{1,255}+)")
_BARE_HOST = re.compile(
    rf"(?<![{_LETTER}@._-])(?:[{_LETTER}][{_LETTER}-]{{0,62}}+{_DOT}){{1,8}}(?P<top>[{_LETTER}-]{{2,24}}+)(?![{_LETTER}@])"
)
# The top-level domains that are no common words and no endings of file names, and so need no "www." before them.
_TOP_LEVEL = frozenset(
    """
com net org io cn info biz xyz top ru co de fr uk eu jp kr br es nl ch se dk pl cz pt ie app dev shop online site store
tech cloud ai tv cc vip club live pro hk tw sg au ca us example gov edu mobi wang link click icu fun space website
support help network agency center services
""".split()  # noqa: SIM905
)
# Endings of file names: with them a name is no host, unless a path follows and there is such a domain.
_FILE_ENDINGS = frozenset(
    """
aspx asp avi bak bat bin bmp cfg class cmd conf config cpp cs csproj css csv dat db deb dll doc docx dmg docm dylib eml
env epub exe gif git go gradle gz htm html ico ini ipa ipynb iso jar java jpeg jpg js json jsonl jsx key lock log lua
mjs mkv mp3 mp4 msg msi msix mts odp ods odt ogg patch pem php plist png ppt pptx properties ps1 psd rar rb repo rpm
rst rtf scala scss sql sqlite svg swift tar tgz tif tiff tmp toml ts tsv tsx ttf txt vb vbs vue war wav webm webp whl
wma wmv wsdl xaml xhtml xls xlsm xlsx xml xsd xz yaml yml
apk cab app md mov pl ps py rs sh so zip
""".split()  # noqa: SIM905
)
_ENDINGS_AND_DOMAINS = frozenset("app cab md mov pl ps py rs sh so zip".split())  # noqa: SIM905
# Domains that are words as well: "the blue dot top left".
_WORDS = frozenset(
    """
top info net app online site store tech cloud live pro link click fun space website support help network agency center
services shop club us is
""".split()  # noqa: SIM905
)
# Hosts where anybody has an account: only with what follows does the address name somebody.
_HOSTS_OF_MANY = frozenset(
    """
t.me telegram.me wa.me api.whatsapp.com chat.whatsapp.com signal.me line.me lin.ee m.me discord.gg discord.com
bit.ly tinyurl.com t.co goo.gl is.gd cutt.ly rebrand.ly suo.im dwz.cn t.cn url.cn
forms.gle docs.google.com drive.google.com sites.google.com forms.office.com forms.microsoft.com typeform.com
surveymonkey.com wj.qq.com docs.qq.com jinshuju.net wjx.cn wjx.top
paypal.me paypal.com buy.stripe.com venmo.com cash.app revolut.me ko-fi.com qr.alipay.com u.wechat.com weixin.qq.com
mp.weixin.qq.com work.weixin.qq.com facebook.com fb.me instagram.com linkedin.com x.com twitter.com tiktok.com
youtube.com youtu.be weibo.com douyin.com xiaohongshu.com taobao.com tb.cn dropbox.com wetransfer.com pan.baidu.com
github.com gitee.com notion.so medium.com linktr.ee
""".split()  # noqa: SIM905
)
_ACCOUNT = re.compile(r"(?::\d{1,5})?(?P<path>/[^\s\"'<>()\[\]“”‘’（）「」，。；、]{1,120}+)")
_SENDS = re.compile(
    r"(?:\b(?:go to|visit|browse to|log ?(?:in|on) (?:at|to|on)|sign (?:in|on) (?:at|to|on)|pay (?:at|on|via)|online at"
    r"|(?:web)?site|web page|home ?page|portal|link|url)(?:[^\S\n](?:is|at))?|访问|登录|前往|网址|网站|官网|链接)"
    r"(?:是|为)?[:：]?[^\S\n]?\Z"
)
_PATH = re.compile(r"/[a-z0-9?#~%_-]")
_IP_ADDRESS = re.compile(r"(?<![\w.+-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_VERSION = re.compile(
    r"(?:\b(?:v|ver|versions?|firmware|releases?|build|driver|rv|chrome|firefox|safari|edge|android|windows|sections?"
    r"|clauses?|articles?|chapters?)(?:[^\S\n](?:is|number))?|版本号?|固件|第|[§图表])[是为]?[.:：]?[^\S\n]?"
    r"(?:[\d.]{3,15}+(?:[,、–-]|[^\S\n](?:and|or|to))[^\S\n]?){0,3}\Z",
    re.IGNORECASE,
)
"""The words before a version or the number of a section: "versions 1.2.3.4 and 1.2.3.5"."""

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,+/])(?:\+|\(\+?)?\d(?:[^\S\n]?[-–()./·]?[^\S\n]?\d){4,24}+(?![A-Za-z0-9_%])")
_DATE = re.compile(r"(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d")
_CALLS = re.compile(
    r"\b(?:call|calls|tel|telephone|phone|phones|dial|ring|hotline|helpline|fax|whatsapp|mobile|text|sms|line|anruf|telefon"
    r"|téléphone|teléfono)\b|电话|热线|致电|拨打|手机|传真|微信|来电|座机|短信|专线|電話",
    re.IGNORECASE,
)
_OUR_NUMBER = re.compile(
    r"\b(?:our|new|contact|support|service|help|toll[- ]?free|free|emergency|direct|office) numbers?\b"
    r"|(?:新|我们的|本店的?|客服|联系|服务|咨询)号码?(?:已?改?[是为])?[:：]?[^\S\n]?\Z|客服(?:专线|中心)?[:：]?[^\S\n]?\Z",
    re.IGNORECASE,
)
"""Distinguishes a telephone number from an order's: "our number", not "your order number"."""

_SORT_CODE = re.compile(r"\d\d-\d\d-\d\d(?P<account>[^\S\n]?\d{6,8})?")
_SORTS = re.compile(r"\bsort\b", re.IGNORECASE)
_PAYMENT = re.compile(r"\bpa(?:y|ys|yable|yments?)\b", re.IGNORECASE)
_PAYS = re.compile(
    r"\b(?:account|acct|iban|sort code|routing|card|wallet|paypal|wire|transfer|bank|konto|compte|cuenta)\b"
    r"|账号|帐号|账户|帐户|卡号|收款|汇款|转账|开户|支付宝|银行|賬號",
    re.IGNORECASE,
)
_NAMED_PHONE = re.compile(
    r"1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|[48]00\d{7}|\+\d{7,15}|00\d{8,15}|0\d{9,10}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"
)
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[^\S\n]?[A-Za-z0-9]{4}){2,7}+(?:[^\S\n]?[A-Za-z0-9]{1,3})?\b")
_WALLET = re.compile(r"\b(?:bc1[a-z0-9]{25,60}|0x[a-fA-F0-9]{40})\b")
_HANDLE = re.compile(
    r"(?<![A-Za-z0-9])(?:微信号?|企业微信|QQ群?|公众号|wechat(?: id)?|telegram|whatsapp|line id|paypal)"
    r"[^\S\n]?[:：]?[^\S\n]?"
    r"(?P<handle>@?[A-Za-z][\w.-]{4,31}|\d{5,12})",
    re.IGNORECASE,
)
_WORDS_BEFORE_CHARACTERS = 28
_CARD_DIGITS = range(12, 20)
_PHONE_DIGITS = range(7, 16)
_SHORTEST_CALLED = 5
_POSSIBLE_DIGITS = range(7, 19)  # E.164 has fifteen at most; extensions come on top
_SHOWN_CHARACTERS = 160
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


@dataclass(frozen=True, slots=True)
class ContactDetail:
    """An address in a text, ``text[start:end]``.  ``key`` does not depend on its spelling: "phone 0800555019".

    Of a link it covers the part before the path.  A ``number`` may be a telephone or an account; no word says which.
    """

    kind: DetailKind
    key: str
    start: int
    end: int


@lru_cache(maxsize=512)
def contact_details(text: str) -> tuple[ContactDetail, ...]:
    """Return the addresses of a text in order, and the sentences that say what to tell customers.

    >>> [detail.key for detail in contact_details("Write to Desk@shop.example or call 0800 555 019.")]
    ['mail desk@shop.example', 'phone 0800555019']
    """
    return tuple(detail for detail in possible_contact_details(text) if detail.kind != "number")


@lru_cache(maxsize=512)
def possible_contact_details(text: str) -> tuple[ContactDetail, ...]:
    """Return the same, and all numbers of 7 to 18 digits that are no dates.

    >>> [detail.key for detail in possible_contact_details("Our desk: 765 43 21, on 2026-01-31.")]
    ['number 7654321']
    """
    shown, places = _visible(text)
    found = [*_addresses(shown), *_numbers(shown), *_directives(shown)]
    if places is not None:
        found = [ContactDetail(one.kind, one.key, places[one.start], places[one.end - 1] + 1) for one in found]
    return tuple(sorted(found, key=lambda one: (one.start, one.end)))


def detail_keys(text: str) -> frozenset[str]:
    """Return the keys of a text's addresses."""
    return frozenset(one.key for one in contact_details(text))


def _visible(text: str) -> tuple[str, list[int] | None]:
    """Return a text without invisible characters and with narrow letters, digits and dots.

    And the original offset of each character; None if nothing was removed.
    """
    if text.isascii():
        return text, None
    if not unicodedata.is_normalized("NFKC", text):
        text = "".join(map(_narrow, text))
    if _INVISIBLE.search(text) is None:
        return text, None
    places = [place for place, character in enumerate(text) if _INVISIBLE.match(character) is None]
    return "".join(text[place] for place in places), places


@cache
def _narrow(character: str) -> str:
    """Return the plain form of a wide or decorated character; others stay: a wide comma ends a link."""
    plain_form = unicodedata.normalize("NFKC", character)
    is_plain = len(plain_form) == 1 and plain_form.isascii() and (plain_form.isalnum() or plain_form in ".@+-_")
    return plain_form if is_plain and unicodedata.category(character) != "No" else character  # "No": ①, ²


def _addresses(text: str) -> Iterator[ContactDetail]:
    small = text.lower() if len(text.lower()) == len(text) else text
    taken: list[tuple[int, int]] = []
    if "@" in small or "at]" in small or "(at)" in small:
        for match in _MAIL.finditer(small):
            name, host = re.split(_AT, match.group(), maxsplit=1)
            taken.append(match.span())
            yield ContactDetail("mail", f"mail {name.lstrip('.+-_')}@{_host(host)}", *match.span())
    for match in _URL.finditer(small) if "://" in small else ():
        taken.append(match.span())
        yield ContactDetail("host", _host_key(match["place"].rsplit("@", 1)[-1], match), *match.span())
    for match in _BARE_HOST.finditer(small):
        if _is_host(match) and not any(start < match.end() and match.start() < end for start, end in taken):
            yield ContactDetail("host", _host_key(match.group(), match), *match.span())
    for match in _IP_ADDRESS.finditer(small):
        if _is_reachable(match) and not any(start < match.end() and match.start() < end for start, end in taken):
            yield ContactDetail("host", f"host {match.group()}", *match.span())


def _is_host(match: re.Match[str]) -> bool:
    """Tell whether a match is a host, not a file name or the border of two sentences without a blank."""
    top, text = match["top"], match.string
    if " dot " in match.group() and (top in _WORDS or text.startswith("the ", match.start())):
        return False
    if top in _TOP_LEVEL or text.startswith("www.", match.start()):
        return True
    if not top.isalpha():
        return False
    if _PATH.match(text, match.end()) and (top in _ENDINGS_AND_DOMAINS or top not in _FILE_ENDINGS):
        return text[max(0, match.start() - 1) : match.start()] not in ("/", "\\")  # else it is inside a path
    before = text[max(0, match.start() - _WORDS_BEFORE_CHARACTERS) : match.start()]
    return top not in _FILE_ENDINGS and _SENDS.search(before) is not None


def _is_reachable(match: re.Match[str]) -> bool:
    """Tell whether an IP address is public, not a router's, a version or the number of a section."""
    before = match.string[max(0, match.start() - _WORDS_BEFORE_CHARACTERS) : match.start()]
    if _VERSION.search(before):
        return False
    try:
        return ipaddress.IPv4Address(match.group()).is_global
    except ValueError:
        return False


def _host_key(text: str, match: re.Match[str]) -> str:
    host = _host(text)
    account = _ACCOUNT.match(match.string, match.end()) if host in _HOSTS_OF_MANY else None
    return f"host {host}{account['path'].rstrip('.,:;!?/') if account else ''}"


def _host(text: str) -> str:
    host = re.sub(_DOT, ".", text).split(":", 1)[0].strip(".-!?")
    return host.removeprefix("www.")


def _numbers(text: str) -> Iterator[ContactDetail]:
    taken: set[int] = set()
    for match in _IBAN.finditer(text):
        iban = "".join(match.group().split()).upper()
        if int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1:
            taken.update(range(*match.span()))
            yield ContactDetail("account", f"account {iban}", *match.span())
    for match in _WALLET.finditer(text):
        yield ContactDetail("account", f"account {match.group()}", *match.span())
    for match in _HANDLE.finditer(text):
        yield ContactDetail("account", f"account {match['handle'].lower().lstrip('@')}", *match.span("handle"))
    for match in _NUMBER.finditer(text):
        kind = _kind_of_number(match.group(), text[max(0, match.start() - _WORDS_BEFORE_CHARACTERS) : match.start()])
        if kind is not None and match.start() not in taken:
            digits = re.sub(r"\D", "", match.group()).removeprefix("00")
            yield ContactDetail(kind, f"{kind} {digits}", *match.span())


def _kind_of_number(number: str, before: str) -> Literal["phone", "account", "number"] | None:
    """Return whether a number is a telephone or an account, by its form and the words before it; dates etc. are not."""
    digits = re.sub(r"\D", "", number)
    if _DATE.search(number):
        return None
    if len(digits) in _CARD_DIGITS and (
        _PAYS.search(before) or (len(digits) >= min(_CARD_DIGITS) + 3 and _is_card(digits))
    ):
        return "account"
    bare = re.sub(r"(?<=\d)[^\S\n](?=\d)", "", number)
    if len(digits) in _PHONE_DIGITS and (_NAMED_PHONE.fullmatch(number) or _NAMED_PHONE.fullmatch(bare)):
        return "phone"
    sort_code = _SORT_CODE.fullmatch(number)
    if sort_code and (_SORTS.search(before) or (sort_code["account"] and _PAYMENT.search(before))):
        return "account"
    if (_CALLS.search(before) or _OUR_NUMBER.search(before)) and _SHORTEST_CALLED <= len(digits) <= max(_PHONE_DIGITS):
        return "phone"
    if _PAYS.search(before) and len(digits) >= _SHORTEST_CALLED + 1:
        return "account"
    return "number" if len(digits) in _POSSIBLE_DIGITS else None


def _is_card(digits: str) -> bool:
    """Tell whether the check digit is right (Luhn, ISO/IEC 7812-1), as in every bank card's number."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _directives(text: str) -> Iterator[ContactDetail]:
    for span in split_sentences(text):
        sentence = text[span.start : span.end]
        if is_directive(sentence):
            yield ContactDetail("directive", f"directive {sentence_key(sentence)}", span.start, span.end)


def sentence_key(sentence: str) -> str:
    """Return the key of a sentence: its words in plain letters, with a digest if they are many."""
    words = " ".join(plain(sentence).split())
    if len(words) <= _SHOWN_CHARACTERS:
        return words
    digest = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{words[:_SHOWN_CHARACTERS]}… ({digest})"
