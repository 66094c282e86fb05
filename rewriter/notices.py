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
    "content-md5",
    "control",
    "damaged",
    "dkim",
    "embedded",
    "encoding",
    "encrypted",
    "footer",
    "no-recipient",
    "no-sender",
    "signed",
    "unplaceable",
]

SENTENCES: Final[dict[str, str]] = {
    "ambiguous": "left alone: mail readers could disagree about its structure",
    "attachment": "left alone: it is an attachment",
    "calendar": "left alone: it is a calendar entry",
    "charset": "left alone: its charset can't be edited byte for byte",
    "clipping": "Gmail shows only the first 102 KB of the HTML",
    "content-md5": "its Content-MD5 no longer holds",
    "control": "a control header was not understood and was removed",
    "damaged": "left alone: its transfer encoding is damaged",
    "dkim": "a DKIM signature was there already and no longer verifies",
    "embedded": "left alone: it is another message inside this one",
    "encoding": "left alone: its transfer encoding is unknown",
    "encrypted": "left alone: it is encrypted",
    "footer": "no footer: its text can't be written in the charset of the part",
    "no-recipient": "no recipient is known, so events will not say whose they are",
    "no-sender": "no sending domain is known, so events will belong to none",
    "signed": "left alone: it is signed, and would no longer verify",
    "unplaceable": "an edit was left out: it has no place in the part's charset",
}

LEFT_ALONE: Final[frozenset[str]] = frozenset(
    code for code, sentence in SENTENCES.items() if sentence.startswith("left alone")
)


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
