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
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_REACHES = re.compile(
    r"\b(?:call|calls|tel|telephone|phone|dial|ring|hotline|helpline|fax|whatsapp|sms|reach|contact|refunds?|help|support"
    r"|services?|claims?|complaints?|returns?|emergency|emergencies|customer care|help ?desk)\b"
    r"|电话|热线|致电|拨打|手机|传真|来电|座机|专线|電話|客服|退款|退货|售后|投诉|理赔|咨询|联系|人工",
    re.IGNORECASE,
)
"""The words of a sentence in which digits in groups are a telephone number."""

_CALLS_ON = re.compile(r"(?:\b(?:on|at|under|is|are|now)|[:：为是打拨至])[^\S\n]?\Z", re.IGNORECASE)
"""The words right before a number to call, wherever its sentence says that it is one: "ring our desk in Leeds on"."""

_COUNTED = re.compile(
    r"(?:\b(?=[a-z]{2})(?:orders?|invoices?|serial|parts?|items?|articles?|models?|cases?|tickets?|ref|references?|tracking|parcels?"
    r"|errors?|codes?|isbn|issn|doi|sku|ean|id|ids|vat|tax|registration|licen[cs]e|versions?|builds?|ports?|iso|rfc|din)"
    r"|订单|编号|序列|运单|单号|错误|错误码|代码|型号|料号|版本|备案|许可证|标准|编码|税号)"
    r"(?:[^\S\n](?:number|no|code|id|is)\b)?(?:[^\S\n]is\b)?[号码是为]{0,2}[.:：#]?[^\S\n]?\Z|[A-Za-z0-9]-\Z",
    re.IGNORECASE,
)
"""The words right before an order's number, a part's, an error's: "your order number is"."""

_SENTENCE_BORDER = re.compile(r"[.!?](?=\s)|[。！？\n]")
_CHINESE_DIGITS = "零一二三四五六七八九"
_FORMAL_DIGITS = "零壹贰叁肆伍陆柒捌玖"  # of cheques and contracts
_OTHER_DIGITS = {"〇": "0", "幺": "1", "两": "2", "⓪": "0"}
_OTHER_DIGITS |= {chr(ord("①") + place): str(place + 1) for place in range(9)}
for _digits in (_CHINESE_DIGITS, _FORMAL_DIGITS):
    _OTHER_DIGITS |= {digit: str(place) for place, digit in enumerate(_digits)}
_TO_DIGITS = str.maketrans(_OTHER_DIGITS)
_CHINESE_NUMBER = re.compile(
    rf"[{''.join(_OTHER_DIGITS)}](?:[^\S\n]?[-–·]?[^\S\n]?[{''.join(_OTHER_DIGITS)}]){{6,24}}+"
)
_SPELLED_DIGITS = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
_SPELLED = "|".join([*_SPELLED_DIGITS, "oh", "nought", "double", "triple", "hundred"])
_SPELLED_NUMBER = re.compile(rf"\b(?:{_SPELLED})(?:[ ,-]{{1,3}}(?:{_SPELLED})){{5,24}}+\b", re.IGNORECASE)
_CHINESE_DOT = re.compile("[。点點]")
_CHINESE_HOST = re.compile(
    rf"(?<![{_LETTER}._-])(?:[{_LETTER}][{_LETTER}-]{{0,62}}+[.。点點]){{1,8}}"
    rf"(?:com|cn|net|org|example|top|xyz|biz|vip|cc|ru|hk|shop)(?![{_LETTER}-])"
)
"""A host with the Chinese full stop, which browsers take for a dot, or with the word for it: "evil点com"."""

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
    r"(?:是|为)?[^\S\n]?[:：]?[^\S\n]?"
    r"(?P<handle>@?[A-Za-z][\w.-]{4,31}|\d{5,12})",
    re.IGNORECASE,
)
_SIGNS = r"[^A-Za-z0-9\s.,;:!?()，；：！？（）\u2e80-\u9fff]{0,3}"
"""What may stand inside a nickname so that no filter sees it: "V❤信"."""

_NICKNAMED_HANDLE = re.compile(
    rf"(?:(?<![A-Za-z0-9])[Vv][xX]?{_SIGNS}信号?|(?<![添增追附])加[^\S\n]?(?:[Vv][xX]?|[Ww][xX]|[Qq])号?(?![A-Za-z])"
    rf"|[薇徽溦]{_SIGNS}信号?|威{_SIGNS}信号?(?=[^\S\n]?[:：是为])|[扣叩]{_SIGNS}扣号?|企鹅号"
    r"|(?<![A-Za-z0-9])(?:[Vv][xX]|[Ww][xX])号?(?=[^\S\n]?[:：是为])"
    r"|(?<![A-Za-z0-9])[Qq]{1,2}号?(?=[^\S\n]?[:：是为]{1,2}[^\S\n]?\d))(?:是|为)?[^\S\n]?[:：]?[^\S\n]?"
    r"(?P<handle>[A-Za-z][\w-]{4,31}|\d{5,12})",
    re.ASCII,
)
"""What people write for WeChat and QQ where a filter looks for these names."""

_WORDS_BEFORE_CHARACTERS = 28
_SENTENCE_CHARACTERS = 160
_SHORTEST_GROUP = 2
_CARD_DIGITS = range(12, 20)
_PHONE_DIGITS = range(7, 16)
_SHORTEST_CALLED = 5
_POSSIBLE_DIGITS = range(7, 19)  # E.164 has fifteen at most; extensions come on top
_SHOWN_CHARACTERS = 160
_INVISIBLE = re.compile(f"[{INVISIBLE}\u20e3]")  # with the key around a digit: "1️⃣"


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
    found = [*_addresses(shown), *_numbers(_with_digits(shown)), *_directives(shown)]
    return tuple(sorted(_placed(found, places), key=lambda one: (one.start, one.end)))


def details_named(text: str, keys: Collection[str]) -> tuple[ContactDetail, ...]:
    """Return the places of a text that name one of these addresses, also where its own words do not say what it is.

    >>> [one.start for one in details_named("For the Orion lamp it is 0900-666-777.", {"phone 0900666777"})]
    [25]
    """
    if not keys:
        return ()
    named = [one for one in possible_contact_details(text) if one.key in keys]
    taken = {(one.start, one.end) for one in named}
    names = {key.partition(" ")[2]: key for key in keys if key.startswith(("phone ", "account ", "number "))}
    shown, places = _visible(text)
    found = [*_known_numbers(shown, names), *_known_handles(shown, names)]
    named += [one for one in _placed(found, places) if (one.start, one.end) not in taken]
    return tuple(sorted(named, key=lambda one: (one.start, one.end)))


def key_at(text: str, start: int, end: int) -> str:
    """Return the key of an address, or of words to customers, at a place of ``details_named``; empty if it is blank."""
    found = next((one for one in possible_contact_details(text) if (one.start, one.end) == (start, end)), None)
    if found is not None:
        return found.key
    words = _with_digits(_visible(text[start:end])[0]).strip().lower()
    digits = _dialled(words)
    return words and (f"account {words}" if any(map(str.isalpha, words)) else f"number {digits}")


def _dialled(number: str) -> str:
    """Return a number's digits, without the "00" that may stand for the "+" before a country's."""
    return re.sub(r"\D", "", number).removeprefix("00")


def _known_numbers(text: str, names: Mapping[str, str]) -> Iterator[ContactDetail]:
    for match in _NUMBER.finditer(_with_digits(text)) if any(map(str.isdecimal, names)) else ():
        digits = _dialled(match.group())
        if digits in names:
            yield ContactDetail("number", names[digits], *match.span())


def _known_handles(text: str, names: Mapping[str, str]) -> Iterator[ContactDetail]:
    """Yield the places of account names that are no words: they have a digit or a line."""
    small = text.lower()
    for name in names:
        if name.islower() and not name.isalpha() and name in small:
            for match in re.finditer(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text, re.IGNORECASE):
                yield ContactDetail("account", names[name], *match.span())


def detail_keys(text: str) -> frozenset[str]:
    """Return the keys of a text's addresses."""
    return frozenset(one.key for one in contact_details(text))


def _placed(found: Sequence[ContactDetail], places: Sequence[int] | None) -> Sequence[ContactDetail]:
    """Return details with the offsets of the original text; ``places`` as ``_visible`` returns them."""
    if places is None:
        return found
    return [ContactDetail(one.kind, one.key, places[one.start], places[one.end - 1] + 1) for one in found]


def _with_digits(text: str) -> str:
    """Return a text of the same length with plain digits in telephone numbers of Chinese or encircled ones."""
    if text.isascii():
        return text
    return _CHINESE_NUMBER.sub(lambda match: match.group().translate(_TO_DIGITS), text)


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
    for match in _CHINESE_HOST.finditer(small) if not small.isascii() and _CHINESE_DOT.search(small) else ():
        if _CHINESE_DOT.search(match.group()):
            yield ContactDetail("host", f"host {_CHINESE_DOT.sub('.', match.group())}", *match.span())
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
    accounts = list(_accounts(text))
    taken = {place for one in accounts for place in range(one.start, one.end)}
    yield from accounts
    for match in _SPELLED_NUMBER.finditer(text):
        digits = _spelled_digits(match.group())
        if len(digits) in _PHONE_DIGITS and _REACHES.search("".join(_sentence_around(match))):
            yield ContactDetail("phone", f"phone {digits}", *match.span())
    for match in _NUMBER.finditer(text):
        kind = _kind_of_number(match.group(), text[max(0, match.start() - _WORDS_BEFORE_CHARACTERS) : match.start()])
        if kind == "number" and _is_called(match):
            kind = "phone"
        if kind is not None and match.start() not in taken:
            digits = _dialled(match.group())
            yield ContactDetail(kind, f"{kind} {digits}", *match.span())


def _accounts(text: str) -> Iterator[ContactDetail]:
    for match in _IBAN.finditer(text):
        iban = "".join(match.group().split()).upper()
        if int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1:
            yield ContactDetail("account", f"account {iban}", *match.span())
    for match in _WALLET.finditer(text):
        yield ContactDetail("account", f"account {match.group()}", *match.span())
    for match in _HANDLE.finditer(text):
        yield ContactDetail(
            "account", f"account {match['handle'].lower().lstrip('@').rstrip('.-')}", *match.span("handle")
        )
    for match in _NICKNAMED_HANDLE.finditer(text) if not text.isascii() or ":" in text else ():
        yield ContactDetail("account", f"account {match['handle'].lower()}", *match.span("handle"))


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


def _is_called(match: re.Match[str]) -> bool:
    """Tell whether a number is a telephone's by its groups of digits and the words of its sentence."""
    number = match.group()
    groups = re.findall(r"\d+", number)
    before, after = _sentence_around(match)
    if len("".join(groups)) not in _PHONE_DIGITS or _COUNTED.search(before):
        return False
    if _CALLS.search(before) and _CALLS_ON.search(before):
        return True
    is_dialled = number[0] in "0+("
    if min(map(len, groups)) < _SHORTEST_GROUP or ("." in number and not (is_dialled and len(groups) >= 3)):
        return False
    if is_dialled and len(groups) >= 3:
        return True
    is_thousands = " " in number and "-" not in number and all(len(group) == 3 for group in groups[1:])
    is_grouped = is_dialled or (len(groups) >= 3 and not is_thousands)
    return is_grouped and len(groups) > 1 and _REACHES.search(before + after) is not None


def _sentence_around(match: re.Match[str]) -> tuple[str, str]:
    """Return what a sentence says before a match and behind it."""
    before = match.string[max(0, match.start() - _SENTENCE_CHARACTERS) : match.start()]
    after = match.string[match.end() : match.end() + _SENTENCE_CHARACTERS]
    return _SENTENCE_BORDER.split(before)[-1], _SENTENCE_BORDER.split(after, maxsplit=1)[0]


def _spelled_digits(words: str) -> str:
    """Return the digits of a number in words.

    >>> _spelled_digits("zero nine hundred double one")
    '090011'
    """
    digits, times = "", 1
    for word in re.findall("[a-z]+", words.lower()):
        if word == "hundred":
            digits += "00"
        elif word in ("double", "triple"):
            times = 2 if word == "double" else 3
        else:
            digits += times * str(_SPELLED_DIGITS.index(word) if word in _SPELLED_DIGITS else 0)
            times = 1
    return digits


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
