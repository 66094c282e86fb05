"""What the sender should know about one message: named, so that a program can act on it.

Out: values for stderr, `--json` and `--strict`. A notice never stops anything by itself.
"""

from dataclasses import dataclass
from typing import Final, Literal

from rewriter.report import CautionCode

Code = Literal[
    "ambiguous",
    "attachment",
    "calendar",
    "charset",
    "clipping",
    "control",
    "damaged",
    "dkim",
    "dkim-refused",
    "embedded",
    "encoding",
    "encrypted",
    "no-recipient",
    "no-sender",
    "no-tracking-domain",
    "signed",
    "stale",
    "unplaceable",
]

SENTENCES: Final[dict[str, str]] = {
    "ambiguous": "left alone: mail readers could disagree about its structure",
    "attachment": "left alone: it is an attachment",
    "calendar": "left alone: it is a calendar entry",
    "charset": "left alone: its charset can't be edited byte for byte",
    "clipping": "Gmail shows only the first 102 KB of the HTML",
    "control": "a control header was not understood and was removed",
    "damaged": "left alone: its transfer encoding is damaged",
    "dkim": "a DKIM signature was there already and no longer verifies",
    "dkim-refused": "left alone: it has a DKIM signature, and your settings refuse to break it",
    "embedded": "left alone: it is another message inside this one",
    "encoding": "left alone: its transfer encoding is unknown",
    "encrypted": "left alone: it is encrypted",
    "no-recipient": "no recipient is known, so events will not say whose they are",
    "no-sender": "no sending domain is known, so events will belong to none",
    "no-tracking-domain": "left alone: its sending domain has no tracking domain",
    "signed": "left alone: it is signed, and would no longer verify",
    "stale": "a header that describes the body as it was no longer holds",
    "unplaceable": "left alone: an edit has no place in its charset",
}

FAILURES: Final = frozenset(
    {
        "ambiguous",
        "charset",
        "control",
        "damaged",
        "dkim-refused",
        "encoding",
        "encrypted",
        "no-tracking-domain",
        "signed",
        "too-long",
        "unplaceable",
    }
)
"""What `--strict` takes for a failure: something that should have been rewritten wasn't."""


class LeftAlone(Exception):
    """A part can't be edited byte for byte; `code` and `detail` are those of its notice."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code: Code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Notice:
    """`part` is a path as in IMAP (`1.2`), empty for the whole message; `detail` is for people."""

    code: Code | CautionCode
    part: str = ""
    detail: str = ""

    def __str__(self) -> str:
        sentence = SENTENCES.get(self.code)
        where = f"part {self.part}" if self.part else "message"
        said = " — ".join(filter(None, (sentence, self.detail)))
        return f"{where}: {said} [{self.code}]"
