"""The sign-in forms as whole documents: no script, nothing from elsewhere, the desk's own colours."""

from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlencode

from rag.errors import AnswerdeskError
from rag.people.passwords import SHORTEST
from rag.schema import Language
from rag.translate import translate
from ui.browser import asset

Form = Literal["sign_in", "first", "password"]

FORM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


_ACTIONS: Mapping[Form, tuple[str, str, str]] = {  # path, heading, button
    "sign_in": ("/sign-in", "sign_in", "sign_in"),
    "first": ("/sign-in", "first_admin", "first_admin_make"),
    "password": ("/password", "password_change", "password_change"),
}
_LONG_LANGUAGE: Mapping[Language, str] = {"en": "en", "zh": "zh-CN"}


def form_html(
    form: Form,
    language: Language,
    *,
    next_path: str,
    name: str = "",
    error: str = "",
    done: bool = False,
    provider: bool = False,
) -> str:
    """Return the document.  Everything that somebody else wrote is escaped here."""
    path, heading, button = _ACTIONS[form]
    other: Language = "en" if language == "zh" else "zh"
    other_link = f"{path}?{urlencode({'lang': other, 'next': next_path})}"
    said = [f'<p class="said error" role="alert">{escape(error)}</p>'] if error else []
    said += [f'<p class="said done" role="status">{translate("ui.password_changed", language)}</p>'] if done else []
    why = "<p>" + translate("ui.first_admin_why", language) + "</p>" if form == "first" else ""
    elsewhere = (
        f'<a class="button" href="/auth/login">{translate("ui.sign_in_with", language)}</a>'
        if provider and form == "sign_in"
        else ""
    )
    return f"""<!doctype html>
<html lang="{_LONG_LANGUAGE[language]}" class="sign-in">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{translate("ui." + heading, language)} · {translate("ui.product", language)}</title>
<style>{_style()}</style></head>
<body><main>
<div class="head"><b>{translate("ui.product", language)}</b>
<a href="{escape(other_link)}" lang="{_LONG_LANGUAGE[other]}">{"English" if other == "en" else "中文"}</a></div>
<h1>{translate("ui." + heading, language)}</h1>{why}
{"".join(said)}
<form method="post" action="{path}">
<input type="hidden" name="lang" value="{language}"><input type="hidden" name="next" value="{escape(next_path)}">
{"".join(_fields(form, language, name))}
<button type="submit">{translate("ui." + button, language)}</button>
</form>{elsewhere}
</main></body></html>
"""


def notice_html(error: AnswerdeskError) -> str:
    """Return a document that says an error in both languages, for whoever is let no further."""
    said = [
        f'<p class="said error" lang="{_LONG_LANGUAGE[language]}">{escape(error.text(language))}</p>'
        for language in ("en", "zh")
    ]
    return f"""<!doctype html>
<html lang="en" class="sign-in">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{translate("ui.product", "en")}</title><style>{_style()}</style></head>
<body><main><h1>{translate("ui.product", "en")}</h1>{"".join(said)}</main></body></html>
"""


def _style() -> str:
    return asset("tokens.css") + asset("sign_in.css")


def _fields(form: Form, language: Language, name: str) -> list[str]:
    new = translate("ui.password_new", language, limit=SHORTEST)
    again = translate("ui.password_again", language)
    fields = {
        "code": _field(
            "code", translate("ui.first_admin_code", language), "text", "one-time-code", focused=form == "first"
        ),
        "name": _field(
            "name",
            translate("ui.name", language),
            "text",
            "username",
            value=name,
            focused=form == "sign_in" and not name,
        ),
        "password": _field(
            "password", translate("ui.password", language), "password", "current-password", focused=form == "sign_in"
        ),
        "first": _field("password", new, "password", "new-password"),
        "new": _field("new", new, "password", "new-password"),
        "again": _field("again", again, "password", "new-password"),
    }
    wanted: Mapping[Form, tuple[str, ...]] = {
        "sign_in": ("name", "password"),
        "first": ("code", "name", "first", "again"),
        "password": ("password", "new", "again"),
    }
    return [fields[key] for key in wanted[form]]


def _field(name: str, label: str, kind: str, complete: str, *, value: str = "", focused: bool = False) -> str:
    focus = " autofocus" if focused else ""
    return (
        f'<label for="{name}">{escape(label)}</label><input id="{name}" name="{name}" type="{kind}" required '
        f'maxlength="200" autocomplete="{complete}" value="{escape(value)}"{focus} autocapitalize="none" '
        'spellcheck="false">'
    )
