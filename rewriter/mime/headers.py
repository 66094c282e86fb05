"""Header fields by offset: where each one stands in a message, and what a structured one says.

A message's bytes go in; offsets and small parsed values come out. Nothing is decoded further than
the rewriter needs, and no header is ever serialised again (RFC 5322 §2.2, RFC 2045 §5, RFC 2231).
"""

import re
from dataclasses import dataclass

# RFC 5322 §4.5.8 lets white space stand before the colon. A line of nothing but white space
# continues the field, as it does for Python's, Go's and Dovecot's parsers.
FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)")
BLANK = re.compile(rb"\r?\n")
MBOX_LINE = re.compile(rb"From [^\n]*+\n")

# A comment stands after white space, so that an unquoted boundary may hold a parenthesis.
COMMENT = re.compile(rb'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?<=[\s;])\([^()]*+\)', re.DOTALL)
PARAMETER = re.compile(rb';\s*+([^\s=;]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^;]*+))', re.DOTALL)
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
# RFC 2231 §3, §4: name*0, name*0*, name*.
CONTINUED = re.compile(rb"([^*]++)(?:\*(\d{1,3}))?(\*?)")
PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: `name` in lower case; its line or lines are data[start:end]."""

    name: bytes
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of one header block and where the body begins.

    `separated` is false where no blank line stands between the fields and what follows them.
    """

    data: bytes
    fields: tuple[Field, ...]
    body: int
    separated: bool

    def all(self, name: bytes) -> list[Field]:
        """Return the fields of that name (lower case), in their order."""
        return [field for field in self.fields if field.name == name]

    def text(self, field: Field) -> bytes:
        """Return a field's value, unfolded and stripped."""
        value = self.data[field.value : field.end]
        return value.replace(b"\r", b"").replace(b"\n", b"").strip()

    def get(self, name: bytes) -> bytes | None:
        """Return the first value of that name, or None."""
        return next((self.text(field) for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A value such as `text/html; charset=utf-8`: lower-case `name`, first of each parameter.

    `repeated` names the parameters that stand there twice: readers differ in which one counts.
    """

    name: bytes
    parameters: dict[bytes, bytes]
    repeated: frozenset[bytes] = frozenset()

    @property
    def charset(self) -> str:
        """The charset label in lower case, or nothing."""
        return self.parameters.get(b"charset", b"").decode("latin-1").strip().lower()


def read_headers(data: bytes, start: int, end: int) -> Headers:
    """Read the header block that begins at `start`."""
    fields = []
    at = start
    while match := FIELD.match(data, at, end):
        fields.append(Field(match[1].lower(), at, match.start(2), match.end()))
        at = match.end()
    blank = BLANK.match(data, at, end)
    return Headers(data, tuple(fields), blank.end() if blank else at, bool(blank))


def after_mbox_line(data: bytes) -> int:
    """Return where a message begins behind the `From ` line that an mbox puts before it."""
    match = MBOX_LINE.match(data)
    return match.end() if match else 0


def media_type(value: bytes) -> MediaType:
    """Read a Content-Type or Content-Disposition value, leniently."""
    value = COMMENT.sub(lambda match: match[1] or b"", value)
    name, _, rest = value.partition(b";")
    pieces: dict[bytes, dict[int, bytes]] = {}
    repeated = set()
    for match in PARAMETER.finditer(b";" + rest):
        plain = ESCAPED.sub(rb"\1", match[2]) if match[2] is not None else match[3].strip()
        continued = CONTINUED.fullmatch(match[1].lower())
        if continued is None:
            continue
        numbered = pieces.setdefault(continued[1], {})
        index = int(continued[2] or 0)
        if index in numbered:
            repeated.add(continued[1])
        else:
            numbered[index] = _extended(plain, first=index == 0) if continued[3] else plain
    parameters = {
        name: b"".join(numbered[index] for index in sorted(numbered))
        for name, numbered in pieces.items()
    }
    return MediaType(name.strip().lower(), parameters, frozenset(repeated))


def _extended(value: bytes, *, first: bool) -> bytes:
    """Undo RFC 2231 §4: charset'language'percent-encoded octets."""
    if first and value.count(b"'") >= 2:
        value = value.split(b"'", 2)[2]
    return PERCENT.sub(lambda match: bytes.fromhex(match[1].decode()), value)


def unencoded(value: bytes) -> str:
    """Decode a value; encoded words (RFC 2047) too, where there are any."""
    text = value.decode("utf-8", "replace")
    if "=?" not in text:
        return text
    # Importing `email` takes 40 ms, and hardly any header that we read needs it.
    from email.errors import HeaderParseError  # noqa: PLC0415 - see above
    from email.header import decode_header, make_header  # noqa: PLC0415 - as above

    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return text
