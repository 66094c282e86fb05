"""An async ACME client: RFC 8555, with renewal information (RFC 9773) and profiles.

    async with Acme.open(directory_url, account_key) as acme:
        await acme.register(["mailto:ops@example.com"], terms_agreed=True)
        issued = await acme.issue("click.example.com", csr_der, respond)

`respond` readies the answer to a challenge (`Responder`). Whatever the CA refuses, and whatever
keeps us from hearing it, is a `Problem` with a type to decide by and a sentence to show.

| module | holds |
|---|---|
| `client.py` | `Acme`: the account, orders, revocation |
| `order.py` | one order, from nothing to a chain |
| `renewal.py` | when the CA would like a certificate renewed |
| `signed.py`, `jws.py` | signed requests: nonces, and what is tried again by itself |
| `exchange.py` | HTTP with one CA, bounded in time, size and where it goes |
| `wire.py` | what CAs send, read at the border |
| `chain.py` | chains, and how a certificate is named for `replaces` |
| `tlsalpn.py` | the certificate that answers TLS-ALPN-01 |
| `problem.py` | `Problem`: what went wrong, in words |
| `values.py`, `jwk.py` | what goes in and comes out; account keys |
"""

from certs.acme.chain import certificate_id
from certs.acme.client import Acme
from certs.acme.jwk import AccountKey, new_key, thumbprint
from certs.acme.problem import Problem, Subproblem
from certs.acme.values import (
    HTTP_01,
    TLS_ALPN_01,
    Challenge,
    ChallengeKind,
    ExternalAccount,
    Issued,
    Meta,
    Progress,
    RenewalWindow,
    Responder,
    Step,
)

__all__ = [
    "HTTP_01",
    "TLS_ALPN_01",
    "AccountKey",
    "Acme",
    "Challenge",
    "ChallengeKind",
    "ExternalAccount",
    "Issued",
    "Meta",
    "Problem",
    "Progress",
    "RenewalWindow",
    "Responder",
    "Step",
    "Subproblem",
    "certificate_id",
    "new_key",
    "thumbprint",
]
