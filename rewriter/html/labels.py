"""Names of encodings, as a browser reads them.

In: the label that a message's header gives, and the page. Out: a Python codec. A browser takes
`iso-8859-1` for windows-1252 (Encoding Standard §4.2), and so must what is decoded for it.
"""

import codecs
import re
from typing import Final

_WINDOWS_1252: Final = "cp1252"

# Encoding Standard §4.2, for labels that Python knows by other names or by a smaller character set.
_AS_BROWSERS_DO: Final = {
    "ascii": _WINDOWS_1252,
    "us-ascii": _WINDOWS_1252,
    "ansi_x3.4-1968": _WINDOWS_1252,
    "iso-8859-1": _WINDOWS_1252,
    "iso8859-1": _WINDOWS_1252,
    "iso_8859-1": _WINDOWS_1252,
    "latin1": _WINDOWS_1252,
    "latin-1": _WINDOWS_1252,
    "l1": _WINDOWS_1252,
    "x-cp1252": _WINDOWS_1252,
    "iso-8859-9": "cp1254",
    "iso8859-9": "cp1254",
    "latin5": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "iso-8859-8-i": "iso8859_8",
    "gb2312": "gbk",
    "gb_2312-80": "gbk",
    "gbk": "gbk",
    "x-gbk": "gbk",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "korean": "cp949",
    "windows-949": "cp949",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-user-defined": _WINDOWS_1252,
    # A page that says so of itself is in ASCII as far as that, so it is not (§13.2.3.3).
    "utf-16": "utf-8",
    "utf-16le": "utf-8",
    "utf-16be": "utf-8",
}
_LABEL = re.compile(r"(?:iso|utf|windows|cp|koi|euc|latin|mac|gb|big5|hkscs|kz|ptcp)[\w.-]{0,20}")
_META = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})", re.IGNORECASE
)
_SNIFFED: Final = 1024  # bytes, HTML Standard §13.2.3.2
_PIECE: Final = 1 << 16  # bytes


def codec(label: str) -> str | None:
    """Give the Python codec for a label, None where no browser would know it."""
    label = label.strip().lower()
    if label in _AS_BROWSERS_DO:
        return _AS_BROWSERS_DO[label]
    if not _LABEL.fullmatch(label):
        return None
    try:
        return codecs.lookup(label).name
    except LookupError:
        return None


def page_codec(html: bytes, charset: str) -> str:
    """Give the codec of a page: by its mark, the message's header, its own word, or its bytes."""
    if html.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if known := codec(charset):
        return known
    said = _META.search(html, 0, _SNIFFED)
    if said and (known := codec(said[1].decode("ascii", "replace"))):
        return known
    return "utf-8" if _is_utf8(html) else _WINDOWS_1252


def _is_utf8(data: bytes) -> bool:
    """Tell whether the bytes are UTF-8; piece by piece, since text takes up to four times more."""
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), _PIECE):
            decoder.decode(data[at : at + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
