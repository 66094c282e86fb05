"""What the tests order with: keys, requests, accounts, and a clock that nobody waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.acme import AccountKey, Acme, ExternalAccount, Issued, Problem, new_key
from certs.acme.chain import certificates
from tests.servers.answers import Answers
from tests.servers.faulty import Faulty
from tests.servers.pebble import Pebble

Ca = Pebble | Faulty
_number = count(1)


def new_name() -> str:
    """Return a name that no other test orders for; it leads to the answers."""
    return f"click-{next(_number)}.example.test"


@dataclass
class Pauses:
    """Waits for nothing, and tells what it was asked to wait."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        # The CA's validation runs in a process of its own, and wants its turn.
        await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(ca: Ca, key: AccountKey | None = None, **options: Any) -> AsyncIterator[Acme]:
    """Open a client on a new account key, one that doesn't wait unless told."""
    options.setdefault("wait", Pauses())
    async with Acme.open(ca.directory, key or new_key(), ca_file=ca.ca_file, **options) as acme:
        yield acme


@asynccontextmanager
async def registered(
    ca: Ca, key: AccountKey | None = None, eab: ExternalAccount | None = None, **options: Any
) -> AsyncIterator[Acme]:
    """Open a client with an account."""
    async with opened(ca, key, **options) as acme:
        await acme.register(["mailto:ops@example.com"], terms_agreed=True, eab=eab)
        yield acme


@dataclass(frozen=True)
class Request:
    """A key and the request for a certificate on it."""

    key: ec.EllipticCurvePrivateKey
    csr_der: bytes


def request(name: str) -> Request:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return Request(key, csr.public_bytes(Encoding.DER))


def refused(ca: Ca, answers: Answers, name: str = "", **options: Any) -> Problem:
    """Order a certificate, and return what comes instead of it."""
    name = name or new_name()

    async def run() -> None:
        async with registered(ca) as acme:
            await acme.issue(name, request(name).csr_der, answers.respond, **options)

    with pytest.raises(Problem) as raised:
        asyncio.run(run())
    assert answers.tokens == {}, "an answer was left behind"
    return raised.value


def names(issued: Issued) -> list[str]:
    """Return the names that a certificate is for."""
    extensions = certificates(issued.chain_pem)[0].extensions
    found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


def leads_to(chain_pem: bytes, root_pem: bytes) -> bool:
    """Tell whether each certificate of a chain is signed by the next, and the last by the root."""
    chain = [*certificates(chain_pem), x509.load_pem_x509_certificate(root_pem)]
    for one, issuer in pairwise(chain):
        one.verify_directly_issued_by(issuer)
    return len(chain) > 2


def serial_number(issued: Issued) -> int:
    return certificates(issued.chain_pem)[0].serial_number
