"""What CAs send, read once at the border: JSON and headers in, typed values or a Problem out."""

import datetime
import email.utils
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import httpx
import msgspec
from cryptography import x509

from certs.acme import chain
from certs.acme.problem import BAD_ANSWER, UNKNOWN, Problem, Subproblem, shown
from certs.acme.values import Meta

CHAIN: Final = "application/pem-certificate-chain"  # RFC 8555 §9.1
MAX_AUTHORIZATIONS: Final = 5  # an order is for one name, and that takes one
_MAX_SUBPROBLEMS: Final = 10
_MAX_LINKS: Final = 8
# A month is more than any CA's limit lasts; longer, and a CA's slip would cost the certificate.
_LONGEST_WAIT: Final = 31 * 86400
_PROBLEM_TYPE: Final = re.compile(r"urn:ietf:params:acme:error:([A-Za-z]{1,40})")
_ALTERNATE: Final = re.compile(r'<([^<>"]{1,2000})>\s*;\s*rel="?alternate"?\s*(?:[,;]|$)')
# What a status says where no problem document does, as from a proxy in front of the CA.
_BY_STATUS: Final = {429: "rateLimited", 500: "serverInternal", 503: "serverInternal"}

_Kind = TypeVar("_Kind")
_Aware = Annotated[datetime.datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP, whole; `date` is the CA's clock in Unix seconds, if it tells."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes
    date: float | None

    @property
    def good(self) -> bool:
        """Whether the CA did what it was asked."""
        return 200 <= self.status < 300


class _Sent(msgspec.Struct, frozen=True, rename="camel"):
    """Fields that we don't know are passed over, as RFC 8555 §7.1 wants."""


class DirectoryMeta(_Sent, frozen=True):
    """RFC 8555 §7.1.1; profiles are of draft-ietf-acme-profiles."""

    terms_of_service: str = ""
    website: str = ""
    caa_identities: list[str] = []
    external_account_required: bool = False
    profiles: dict[str, str] = {}

    def meta(self) -> Meta:
        """Return what may be shown."""
        return Meta(
            terms_of_service=shown(self.terms_of_service),
            website=shown(self.website),
            caa_identities=tuple(map(shown, self.caa_identities)),
            external_account_required=self.external_account_required,
            profiles={shown(name): shown(words) for name, words in self.profiles.items()},
        )


class Directory(_Sent, frozen=True):
    """Where the CA wants which request."""

    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str = ""
    key_change: str = ""
    renewal_info: str = ""
    meta: DirectoryMeta = DirectoryMeta()


class Identifier(_Sent, frozen=True):
    """What a certificate is for."""

    type: str = ""
    value: str = ""


class ProblemDocument(_Sent, frozen=True):
    """RFC 7807, as RFC 8555 §6.7 uses it."""

    type: str = ""
    detail: str = ""
    status: int = 0
    identifier: Identifier = Identifier()
    subproblems: "list[ProblemDocument]" = []

    def problem(self, url: str, status: int = 0, retry_after: int | None = None) -> Problem:
        """Return it as an exception."""
        known = _PROBLEM_TYPE.fullmatch(self.type)
        return Problem(
            known[1] if known else _BY_STATUS.get(status, UNKNOWN),
            shown(self.detail),
            status=status or self.status,
            retry_after=retry_after,
            subproblems=[one.subproblem() for one in self.subproblems[:_MAX_SUBPROBLEMS]],
            url=url,
        )

    def subproblem(self) -> Subproblem:
        """Return it as a part of another."""
        known = _PROBLEM_TYPE.fullmatch(self.type)
        return Subproblem(
            known[1] if known else UNKNOWN, shown(self.detail), shown(self.identifier.value)
        )


class Account(_Sent, frozen=True):
    """RFC 8555 §7.1.2."""

    status: Literal["valid", "deactivated", "revoked"] = "valid"


class Order(_Sent, frozen=True):
    """RFC 8555 §7.1.3; `replaces` is of RFC 9773 §5."""

    status: Literal["pending", "ready", "processing", "valid", "invalid"]
    authorizations: Annotated[list[str], msgspec.Meta(max_length=MAX_AUTHORIZATIONS)]
    finalize: str
    certificate: str = ""
    replaces: str = ""
    error: ProblemDocument | None = None


class SentChallenge(_Sent, frozen=True):
    """RFC 8555 §7.1.5."""

    type: str
    url: str
    status: Literal["pending", "processing", "valid", "invalid"] = "pending"
    token: str = ""
    error: ProblemDocument | None = None


class Authorization(_Sent, frozen=True):
    """RFC 8555 §7.1.4."""

    identifier: Identifier
    status: Literal["pending", "valid", "invalid", "deactivated", "expired", "revoked"]
    challenges: list[SentChallenge]


class Window(_Sent, frozen=True):
    """RFC 9773 §4.2."""

    start: _Aware
    end: _Aware


class SentRenewalInfo(_Sent, frozen=True):
    """RFC 9773 §4.2; the explanation's name breaks camel case."""

    suggested_window: Window
    explanation: str = msgspec.field(default="", name="explanationURL")


def decoded(answer: Answer, kind: type[_Kind]) -> _Kind:
    """Read a good answer's JSON. Raises Problem."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    # A RecursionError is what nested brackets without end come to.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(
            BAD_ANSWER, shown(str(error)), status=answer.status, url=answer.url
        ) from error


def decoded_chain(answer: Answer) -> bytes:
    """Read a good answer's certificates, and nothing but them. Raises Problem."""
    try:
        return chain.clean(answer.body)
    except (ValueError, x509.InvalidVersion) as error:
        said = f"it sends no chain of certificates: {shown(str(error))}"
        raise Problem(BAD_ANSWER, said, status=answer.status, url=answer.url) from error


def refusal(answer: Answer, now: float) -> Problem:
    """Return what an answer that isn't good means."""
    if 300 <= answer.status < 400:
        to = shown(answer.headers.get("location", "another place"))
        return Problem(BAD_ANSWER, f"it redirects to {to}", status=answer.status, url=answer.url)
    wait = retry_after(answer, now)
    try:
        document = msgspec.json.decode(answer.body, type=ProblemDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = shown(answer.body[:200].decode("latin-1"))
        document = ProblemDocument(detail=f"HTTP status {answer.status}: {said}".rstrip(": "))
    return document.problem(answer.url, answer.status, wait)


def retry_after(answer: Answer, now: float) -> int | None:
    """Return how many seconds the CA asks to wait (RFC 9110 §10.2.3); None where it doesn't."""
    said = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", said):
        return min(int(said), _LONGEST_WAIT)
    if (until := http_date(said)) is None:
        return None
    # By the CA's own clock, so that ours may be days off.
    seconds = until - (now if answer.date is None else answer.date)
    return max(0, min(int(-(-seconds // 1)), _LONGEST_WAIT))


def http_date(said: str) -> float | None:
    """Read a date as HTTP headers have it; None for what is none."""
    try:
        return email.utils.parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def alternates(answer: Answer) -> tuple[str, ...]:
    """Return where other chains for the same certificate are (RFC 8555 §7.4.2)."""
    headers = answer.headers.get_list("link")[:_MAX_LINKS]
    links = [link for header in headers for link in _ALTERNATE.findall(header[:4000])]
    return tuple(links[:_MAX_LINKS])
