"""Text parts: where their links stand, and the plan of them.

In: the text of a text/plain part, in a superset of ASCII. Out: a `Plan`. Links are found as a mail
reader would underline them: between angle brackets up to the closing one, line breaks and all
(RFC 3986, Appendix C), else up to white space, without the punctuation of the sentence around it.

Promise: placeholders for unsubscribe links are filled in whether or not links are tracked; a line
break that format=flowed put into a URL goes with it (RFC 3676 §4.1), and no other does.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from rewriter.html.labels import codec
from rewriter.links import Decision, Policy, Reference
from rewriter.plan import Plan, Slot
from rewriter.report import LinkReport
from rewriter.splice import Edit
from rewriter.tokens import CLICK, UNSUBSCRIBE
from rewriter.unsubscribe import OF_A_PAGE, Scopes, find_unsubscribes

_WORD: Final = rb"[^\s<>\"\x00-\x1f\x7f]++"
_BRACKETED: Final = rb"<(?:URL:)?(https?://%b(?:[ \t]*+\r?\n[ \t]*+%b)*+)[ \t]*+>" % (_WORD, _WORD)
# With DelSp=yes a space at a line's end is no part of the text: what follows goes on there.
_FLOWED: Final = rb"(?<![\w+.-])(https?://%b(?: \r?\n(?![ >])%b)*+)" % (_WORD, _WORD)
_BARE: Final = rb"(?<![\w+.-])(https?://%b)" % _WORD

URL: Final = re.compile(rb"(?i)%b|%b" % (_BRACKETED, _BARE))
FLOWED_URL: Final = re.compile(rb"(?i)%b|%b" % (_BRACKETED, _FLOWED))
BREAK: Final = re.compile(rb"[ \t]*\r?\n[ \t]*")

PUNCTUATION: Final = ".,;:!?'*_~`|\u2019\u201d\u00bb\u3001\u3002\uff0c\uff01\uff1f"
CLOSING: Final = {")": "(", "]": "[", "}": "{"}


def plan_text(
    text: bytes,
    policy: Policy,
    *,
    charset: str = "",
    delsp: bool = False,
    footer: bytes = b"",
    scopes: Scopes = OF_A_PAGE,
) -> Plan:
    """Plan the edits of one text part.

    `delsp` is the parameter of format=flowed; `footer` is put at the end of a text that has no
    unsubscribe link of ours yet, `scopes` are those of the message's links.
    """
    changes: list[Edit | Slot] = list(unsubscribes(text, policy, scopes))
    if not changes and policy.url(UNSUBSCRIBE) not in text:
        changes += _footer(footer, len(text), policy, scopes)
    reports = []
    for reference, start, end in _references(text, charset, delsp=delsp, policy=policy):
        decision = policy.decide(reference)
        destination = decision.link.destination
        reports.append(
            LinkReport(
                reference.position,
                reference.text,
                decision.reason,
                destination,
                start=start,
                end=end,
            )
        )
        if decision.tracked:
            personal = _named(reference, decision) if decision.reason == "personalised" else None
            before = policy.url(CLICK)
            frame = decision.link_frame
            changes.append(Slot(start, end, before, CLICK, frame, personal=personal))
    return Plan(tuple(sorted(changes, key=lambda change: change.start)), tuple(reports))


def _named(reference: Reference, decision: Decision) -> Reference:
    """Keep the name of a personalised link, which is the same for all recipients."""
    choice = replace(reference.choice, name=decision.link.name)
    return replace(reference, choice=choice)


def unsubscribes(text: bytes, policy: Policy, scopes: Scopes = OF_A_PAGE) -> Iterator[Slot]:
    """Give a slot for each placeholder of an unsubscribe link."""
    for start, end, scope in find_unsubscribes(text):
        frame = policy.tokens.seal_link(scopes[scope])
        yield Slot(start, end, policy.url(UNSUBSCRIBE), UNSUBSCRIBE, frame)


def _footer(text: bytes, at: int, policy: Policy, scopes: Scopes) -> Iterator[Edit | Slot]:
    done = 0
    for slot in unsubscribes(text, policy, scopes):
        yield replace(slot, start=at, end=at, before=text[done : slot.start] + slot.before)
        done = slot.end
    if text[done:]:
        yield Edit(at, at, text[done:])


def _references(
    text: bytes, charset: str, *, delsp: bool, policy: Policy
) -> Iterator[tuple[Reference, int, int]]:
    """Give each link with its start and end, where text links are wanted."""
    if not policy.config.text_links:
        return
    encoding = codec(charset) or "utf-8"
    for position, match in enumerate((FLOWED_URL if delsp else URL).finditer(text), 1):
        group = 1 if match[1] else 2
        start, end = match.span(group)
        reference = BREAK.sub(b"", match[group]).decode(encoding, "replace")
        if group == 2:
            kept = trimmed(reference)
            # Cut only what stands there byte for byte, whatever the charset made of it.
            cut = reference[len(kept) :].encode(encoding, "replace")
            if text.endswith(cut, start, end):
                end, reference = end - len(cut), kept
        yield Reference(reference, position, encoding=encoding), start, end


def trimmed(reference: str) -> str:
    """Leave out the sentence's punctuation, and a bracket that was opened before the URL."""
    while reference:
        last = reference[-1]
        opening = CLOSING.get(last)
        unbalanced = opening is not None and reference.count(last) > reference.count(opening)
        if last not in PUNCTUATION and not unbalanced:
            break
        reference = reference[:-1]
    return reference
