"""Where a document says that it is published: one address of the web, or nothing.

    from rag.text.web_address import web_address

What a document calls its source leaves the desk in a copied reply, so it must not be able to say anything else.
"""

from urllib.parse import quote, urlsplit, urlunsplit

from rag.text.characters import without_invisible

LIMIT_CHARACTERS = 500
_NOT_IN_AN_ADDRESS = frozenset('\\<>"{}|^`')  # RFC 3986, 2: neither reserved nor unreserved
_RESERVED = "%:/?#[]@!$&'()*+,;=~"


def web_address(text: str) -> str:
    """Return the one http or https address that ``text`` is, else an empty string.

    It has at most ``LIMIT_CHARACTERS``, all of them printable, and neither a name nor a password before its host.  What
    is not ASCII is encoded (RFC 3987, 3.1): an unspaced Chinese sentence behind the host could be read as one.

    >>> web_address(" https://shop.example/returns?id=7 "), web_address("https://例子.cn/退货")
    ('https://shop.example/returns?id=7', 'https://xn--fsqu00a.cn/%E9%80%80%E8%B4%A7')
    >>> web_address("https://shop.example Pay at evil.example"), web_address("javascript:alert(1)")
    ('', '')
    """
    address = text.strip()
    if not address or len(address) > LIMIT_CHARACTERS or not address.isprintable() or " " in address:
        return ""
    if without_invisible(address) != address or _NOT_IN_AN_ADDRESS & set(address):
        return ""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # a port that is no number, a bracket left open, a label of over 63 bytes
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return ""
    place = f"[{host}]" if ":" in host else host
    rest = (quote(part, safe=_RESERVED) for part in (parts.path, parts.query, parts.fragment))
    found = urlunsplit((parts.scheme, place if port is None else f"{place}:{port}", *rest))
    return found if len(found) <= LIMIT_CHARACTERS else ""
