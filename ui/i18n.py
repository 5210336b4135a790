"""The language of a page."""

from rag.schema import Language


def language_of_locale(locale: str | None) -> Language:
    """Return the page language for a browser's locale; Chinese where nothing is known.

    >>> language_of_locale("en-GB"), language_of_locale("zh-TW"), language_of_locale("fr"), language_of_locale(None)
    ('en', 'zh', 'en', 'zh')
    """
    if not locale or locale.lower().startswith("zh"):
        return "zh"
    return "en"
