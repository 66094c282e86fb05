"""Who may issue: CAA records as a CA reads them (RFC 8659), with RFC 8657's parameters.

A CA asks at the name, through its CNAMEs, then at each parent of the name, and obeys the first set
that it finds. So a record on the edge's host governs the name of every customer that leads there.
A CA that gets no answer must refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from certs.doctor.expected import Expected
from certs.doctor.finding import Finding, finding, shown
from certs.lookup import Reply, Resolver, ask

CRITICAL: Final = 0x80
# Tags that CAs understand, whether they concern us or not: RFC 8659 §4, RFC 9495, and CA/Browser
# Forum Baseline Requirements, appendix A.
KNOWN: Final = frozenset(
    {"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}
)


@dataclass(frozen=True, slots=True)
class Property:
    """One record."""

    critical: bool
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class Permission:
    """What an `issue` property allows; no issuer allows nobody."""

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()

    def values(self, tag: str) -> tuple[str, ...]:
        """Give the values of a parameter."""
        return tuple(value for name, value in self.parameters if name == tag)


@dataclass(frozen=True, slots=True)
class Relevant:
    """The set that a CA obeys: the climb ended at `asked`, and the records stand at `owner`."""

    asked: str
    reply: Reply

    @property
    def owner(self) -> str:
        """Name the records' place."""
        return self.reply.owner or self.asked

    @property
    def properties(self) -> tuple[Property, ...]:
        """Read the records."""
        return tuple(
            Property(
                bool(record.flags & CRITICAL),
                record.tag.decode("latin-1").lower(),
                record.value.decode("latin-1"),
            )
            for record in self.reply.records
        )


async def relevant(name: str, among: Sequence[Resolver]) -> Relevant:
    """Climb from a name to the first records, or to the first failure (RFC 8659 §3)."""
    climbing = name
    while True:
        reply = await ask(climbing, "CAA", among)
        parent = climbing.partition(".")[2]
        if reply.status not in {"nodata", "nxdomain"} or not parent:
            return Relevant(climbing, reply)
        climbing = parent


def permission(value: str) -> Permission:
    """Read an `issue` property; what is malformed allows nobody (RFC 8659 §4.2)."""
    issuer, *rest = (part.strip() for part in value.split(";"))
    pairs = [part.partition("=") for part in rest if part]
    if any(not tag.strip() or not equals for tag, equals, _ in pairs):
        return Permission("")
    return Permission(
        issuer.lower().rstrip("."),
        tuple((tag.strip().lower(), found.strip()) for tag, _, found in pairs),
    )


def judge(name: str, found: Relevant, expected: Expected) -> list[Finding]:
    """Tell whether the CA may issue for a name, and what to change if not."""
    if found.reply.status not in {"found", "nodata", "nxdomain"}:
        return [_failed(found)]
    properties = found.properties
    foreign = [each.tag for each in properties if each.critical and each.tag not in KNOWN]
    if foreign:
        return [_critical(found, foreign[0])]
    permissions = [permission(each.value) for each in properties if each.tag == "issue"]
    if not permissions:
        return [finding("caa.ok", "No CAA record restricts who may issue.")]
    if not expected.issuers:
        return [_unjudged(found, "the name that the CA has in CAA records isn't known")]
    return [_judge(name, found, permissions, expected)]


def _judge(
    name: str, found: Relevant, permissions: Sequence[Permission], expected: Expected
) -> Finding:
    issuers = {issuer.lower() for issuer in expected.issuers}
    granted = [each for each in permissions if each.issuer in issuers]
    if not granted:
        return _forbids(name, found, permissions, expected)
    by_method = [each for each in granted if _allows_method(each, expected.challenge)]
    if not by_method:
        return finding(
            "caa.method",
            f"The CAA records at {shown(found.owner)} don't allow {expected.challenge}"
            f" (validationmethods={shown(', '.join(granted[0].values('validationmethods')))}).",
            fix=f"Add {expected.challenge} to validationmethods, or leave that parameter out.",
            paste=record(found.owner, granted[0].issuer),
        )
    if any(not each.values("accounturi") for each in by_method):
        return finding(
            "caa.ok", f"The CAA records at {shown(found.owner)} allow {granted[0].issuer}."
        )
    if not expected.account_uri:
        return _unjudged(found, "they name an account, and this edge's isn't known yet")
    if not any(each.values("accounturi") == (expected.account_uri,) for each in by_method):
        return finding(
            "caa.account",
            f"The CAA records at {shown(found.owner)} allow another account of the CA only.",
            fix="Name this edge's account, or leave accounturi out.",
            paste=record(found.owner, f"{granted[0].issuer}; accounturi={expected.account_uri}"),
        )
    return finding("caa.ok", f"The CAA records at {shown(found.owner)} allow this edge's account.")


def _allows_method(each: Permission, challenge: str) -> bool:
    """RFC 8657 §4: without the parameter every method is allowed."""
    return all(
        challenge in {method.strip().lower() for method in methods.split(",")}
        for methods in each.values("validationmethods")
    )


def record(owner: str, value: str) -> str:
    """Write the zone line that allows an issuer."""
    return f'{shown(owner)}. IN CAA 0 issue "{value}"'


def _forbids(
    name: str, found: Relevant, permissions: Sequence[Permission], expected: Expected
) -> Finding:
    allowed = ", ".join(sorted({each.issuer for each in permissions} - {""})) or "nobody"
    everyone = (
        " That is the host that tracking domains lead to, so it governs all of them."
        if found.owner == expected.edge_host != name
        else ""
    )
    return finding(
        "caa.forbids",
        f"The CAA records at {shown(found.owner)} allow {shown(allowed)} and not"
        f" {expected.issuers[0]}.{everyone}",
        fix="Add this beside them.",
        paste=record(found.owner, expected.issuers[0]),
    )


def _critical(found: Relevant, tag: str) -> Finding:
    return finding(
        "caa.critical",
        f"The CAA records at {shown(found.owner)} hold the critical tag {shown(tag, 40)!r}, which"
        " CAs don't know, and so must refuse.",
        fix="Remove that record, or set its flags to 0.",
    )


def _failed(found: Relevant) -> Finding:
    return finding(
        "caa.failed",
        f"The CAA records of {shown(found.asked)} can't be asked for"
        f" ({FAILURES[found.reply.status]}), and a CA that can't ask must refuse.",
        fix="Ask the DNS provider of that name: its servers must answer for CAA, if only with"
        " nothing.",
    )


FAILURES: Final = {
    "servfail": "the name servers fail",
    "bogus": "DNSSEC signatures are wrong",
    "timeout": "no answer in time",
}


def _unjudged(found: Relevant, why: str) -> Finding:
    return finding(
        "caa.unjudged",
        f"The CAA records at {shown(found.owner)} restrict who may issue, and {why}.",
        fix="Look whether they allow this edge's CA.",
    )
