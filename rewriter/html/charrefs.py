"""Character references in attribute values.

In: the text of an attribute's value as it stands in the page. Out: what it means (HTML Standard
§13.2.5.72 to 80). `html.unescape` follows the rules for text, which read `&sect` out of
`&section=1`; in an attribute that stays as it is.
"""

import re
from html.entities import html5
from typing import Final

_REFERENCE = re.compile(
    r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([a-zA-Z][a-zA-Z0-9]*)(;|(?![=a-zA-Z0-9])))"
)
_REPLACEMENT: Final = "\ufffd"
_LAST: Final = 0x10FFFF


def unescape(value: str) -> str:
    """Replace the character references of an attribute's value."""
    if "&" not in value:
        return value
    if value.count("&") == value.count("&amp;"):  # most links have no other
        return value.replace("&amp;", "&")
    return _REFERENCE.sub(_meaning, value)


def _meaning(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name, semicolon = reference.groups()
    if name:
        return html5.get(name + semicolon, reference[0])
    # Eight significant digits are out of range in both bases; int() has a limit of its own.
    digits = (hexadecimal or decimal).lstrip("0")
    if len(digits) > 7:
        return _REPLACEMENT
    return _character(int(digits or "0", 16 if hexadecimal else 10))


def _character(number: int) -> str:
    if number == 0 or number > _LAST or 0xD800 <= number <= 0xDFFF:
        return _REPLACEMENT
    if 0x80 <= number <= 0x9F:  # §13.2.5.80: what windows-1252 has there
        return bytes((number,)).decode("cp1252", "ignore") or chr(number)
    return chr(number)
