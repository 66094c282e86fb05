"""Examined: whether what a CA handed out may be kept and served.

In: a chain, the key it should be for, the name, the time. Out: from when to when it is valid, or
Unfit with the reason. CAs are outside; what they send is believed after it was looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

MOST_BYTES: Final = 65_536
CLOCK_TOLERANCE: Final = 60.0  # seconds; HTTP's Date, by which our clock is corrected, is coarse
# How issuers that no client trusts call themselves: Let's Encrypt's staging
# (letsencrypt.org/docs/staging-environment), its older form, and Pebble.
TEST_ISSUERS: Final = ("(STAGING)", "Fake LE", "Pebble")


class Unfit(Exception):
    """The certificate can't be kept; the message says why."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when, in Unix seconds."""

    not_before: int
    not_after: int


def examine(
    chain_pem: bytes,
    key: ec.EllipticCurvePrivateKey,
    name: str,
    now: float,
    *,
    test_issuers: bool = False,
) -> Validity:
    """Return the validity of a chain that fits its key, its name and the time. Raises Unfit.

    `test_issuers` takes certificates of test CAs too, which no client trusts.
    """
    chain = _read(chain_pem)
    leaf = chain[0]
    _fits_key(leaf, key)
    _covers(leaf, name)
    _in_order(chain)
    if not test_issuers:
        _no_test(leaf)
    return _in_date(leaf, now)


def _read(chain_pem: bytes) -> Sequence[x509.Certificate]:
    if len(chain_pem) > MOST_BYTES:
        raise Unfit(f"the chain has more than {MOST_BYTES} bytes")
    try:
        return x509.load_pem_x509_certificates(chain_pem)
    except ValueError as error:
        raise Unfit("the chain is not one of PEM certificates") from error


def _fits_key(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    try:
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unfit("the certificate's key can't be read") from error
    if public != key.public_key():
        raise Unfit("the certificate is for another key than the one that was asked for")
    if not isinstance(key.curve, ec.SECP256R1):
        raise Unfit("the key is not on the curve P-256")


def _covers(leaf: x509.Certificate, name: str) -> None:
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = alternative.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise Unfit("the certificate names no host") from error
    if name not in (one.lower() for one in names):
        raise Unfit(f"the certificate is not for {name}")


def _in_order(chain: Sequence[x509.Certificate]) -> None:
    for one, issuer in pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise Unfit("the chain is broken: one of it isn't signed by the next") from error


def _no_test(leaf: x509.Certificate) -> None:
    issuer = leaf.issuer.rfc4514_string()
    if any(word in issuer for word in TEST_ISSUERS):
        raise Unfit(
            "the certificate is of a test CA, which no client trusts: set 'acme.directory' to the"
            " CA's production directory"
        )


def _in_date(leaf: x509.Certificate, now: float) -> Validity:
    validity = Validity(
        int(leaf.not_valid_before_utc.timestamp()), int(leaf.not_valid_after_utc.timestamp())
    )
    if validity.not_before > now + CLOCK_TOLERANCE:
        raise Unfit("the certificate is not valid yet: is this machine's clock right?")
    if validity.not_after <= now:
        raise Unfit("the certificate has expired: is this machine's clock right?")
    return validity
