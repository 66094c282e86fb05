"""A problem: what the CA refused, or what kept us from hearing it, in plain words.

The CA's own problem documents (RFC 8555 §6.7) and everything that can go wrong on the way to it
end in this one exception, so that whoever orders a certificate decides by `type` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Types of our own, beside those of the CA (RFC 8555 §6.7, such as "rateLimited").
UNREACHABLE: Final = "unreachable"  # no connection, a broken one, or no certificate that we trust
TIMED_OUT: Final = "timedOut"  # connected, or even answered, but not done in the time given
BAD_ANSWER: Final = "badAnswer"  # answered what isn't ACME, or leads where we don't go
UNKNOWN: Final = "unknown"  # refused without saying why in ACME's words
NO_CHALLENGE: Final = "noUsableChallenge"  # the CA doesn't offer the challenge that we answer
ORDER_INVALID: Final = "orderInvalid"  # the CA gave the order up without saying why

_WORDS: Final = {
    UNREACHABLE: "the CA can't be reached",
    TIMED_OUT: "the CA doesn't get done",
    BAD_ANSWER: "the CA's answer makes no sense",
    NO_CHALLENGE: "the CA offers no challenge that is answered here",
    ORDER_INVALID: "the CA gave the order up",
    "accountDoesNotExist": "the CA doesn't know this account",
    "alreadyReplaced": "the CA has seen this certificate replaced before",
    "alreadyRevoked": "the certificate is revoked already",
    "badCSR": "the CA doesn't take the request for this certificate",
    "badNonce": "the CA refused every nonce",
    "badPublicKey": "the CA doesn't take the key",
    "badRevocationReason": "the CA doesn't take the reason for the revocation",
    "caa": "a CAA record forbids this CA to issue for the name",
    "compound": "the CA found several faults",
    "connection": "the CA couldn't connect to the name's address",
    "dns": "the CA couldn't look the name up",
    "externalAccountRequired": "the CA wants an account that it gave out itself",
    "incorrectResponse": "the CA found another answer than ours at the name's address",
    "invalidContact": "the CA doesn't take the contact",
    "invalidProfile": "the CA doesn't offer the profile",
    "malformed": "the CA can't make sense of the request",
    "orderNotReady": "the CA isn't ready to finish the order",
    "rateLimited": "the CA's rate limit is reached",
    "rejectedIdentifier": "the CA doesn't issue for this name",
    "serverInternal": "the CA has a fault of its own",
    "tls": "the CA couldn't make a TLS connection to the name's address",
    "unauthorized": "the CA doesn't believe that the name or the account is ours",
    "unsupportedContact": "the CA doesn't take this kind of contact",
    "unsupportedIdentifier": "the CA doesn't issue for this kind of name",
    "userActionRequired": "the CA wants something done by hand first",
}
_MOST_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True)
class Subproblem:
    """One name's part of a problem (RFC 8555 §6.7.1)."""

    type: str
    detail: str
    identifier: str


class Problem(Exception):
    """The CA refused, or couldn't be heard.

    `type` is the last word of the CA's own type, or one of this module's. `status` is the HTTP
    status, 0 where there was none. `retry_after` is in seconds, as the CA asked, None where it
    didn't. `detail` and what `subproblems` say come from outside and are printable and short.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the word of RFC 7807
        detail: str,
        *,
        status: int = 0,
        retry_after: int | None = None,
        subproblems: Sequence[Subproblem] = (),
        url: str = "",
    ) -> None:
        self.type = type
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.subproblems = tuple(subproblems)
        self.url = url
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """What happened, for the operator."""
        said = [_WORDS.get(self.type, "the CA refused"), self.detail]
        said += [f"{sub.identifier}: {sub.detail}" for sub in self.subproblems]
        if self.retry_after is not None:
            said.append(f"it asks to wait {self.retry_after} s")
        return f"{'; '.join(filter(None, said))} ({self.type})"


def shown(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return text from outside as it may stand in a terminal and a log: one short line."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[:most]}…"
