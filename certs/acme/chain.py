"""Certificate chains as CAs send them: PEM in, certificates out, bounded."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.json_util import encode_b64jose

MAX_CERTIFICATES: Final = 10


def leaf(chain_pem: bytes) -> x509.Certificate:
    """Return the first certificate. Raises ValueError."""
    return certificates(chain_pem)[0]


def certificates(chain_pem: bytes) -> list[x509.Certificate]:
    """Read a chain; raise ValueError in plain words for what is none."""
    found = x509.load_pem_x509_certificates(chain_pem)
    if len(found) > MAX_CERTIFICATES:
        raise ValueError(f"a chain of {len(found)} certificates; {MAX_CERTIFICATES} are the most")
    return found


def clean(chain_pem: bytes) -> bytes:
    """Return the certificates alone, without what may stand around them. Raises ValueError."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates(chain_pem))


def certificate_id(chain_pem: bytes) -> str:
    """Name a certificate as RFC 9773 §4.1 does; "" for one whose issuer's key isn't named in it."""
    certificate = leaf(chain_pem)
    try:
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    if not (issuer := authority.value.key_identifier):
        return ""
    # DER's form of the serial number: a leading zero byte keeps it positive.
    number = certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return f"{encode_b64jose(issuer)}.{encode_b64jose(serial)}"
