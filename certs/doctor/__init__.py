"""The doctor: what stands between a tracking domain and HTTPS, in sentences to act upon.

Each of these takes a name in canonical form and what is `Expected`, asks DNS and the servers that
the name leads to, and returns findings; none raises for what the world answered:

    async def check(name, expected) -> list[Finding]        all of it
    async def cname(name, expected) -> list[Finding]        does the name lead here
    async def caa(name, expected) -> list[Finding]          may the CA issue for it
    async def preflight(name, expected) -> list[Finding]    port 80 of every address is this edge
    async def https_proof(name, expected) -> list[Finding]  port 443 of every address serves a
                                                            certificate that clients trust

`worst(findings)` is "ok", "warning" or "error"; only an error is a reason not to go on.
"""

from certs.doctor.checkup import caa, check, cname, https_proof, preflight
from certs.doctor.expected import Expected
from certs.doctor.finding import CODES, Finding, Severity, worst

__all__ = [
    "CODES",
    "Expected",
    "Finding",
    "Severity",
    "caa",
    "check",
    "cname",
    "https_proof",
    "preflight",
    "worst",
]
