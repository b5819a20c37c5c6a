"""Make characters visible that would steer a terminal or reorder its text."""

import unicodedata

# Control and format characters, lone surrogates, and Unicode's own line and paragraph ends.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str) -> str:
    r"""Replace every control and format character, except newline and tab, by an escape: `\x1b`."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(one: str) -> str:
    if one in "\n\t" or unicodedata.category(one) not in _UNSEEN:
        return one
    return ascii(one)[1:-1]
