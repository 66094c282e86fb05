"""The certificate that answers a TLS-ALPN-01 challenge (RFC 8737)."""

import datetime
import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs.acme.values import Challenge

ALPN: Final = "acme-tls/1"  # RFC 8737 §6.2: what the CA offers, and nobody else
_ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_SHA256_OCTETS: Final = b"\x04\x20"  # DER of an OCTET STRING of 32 bytes
_AROUND: Final = datetime.timedelta(days=7)  # wide, so that a wrong clock spoils nothing


def challenge_certificate(challenge: Challenge) -> tuple[bytes, bytes]:
    """Return a self-signed certificate and its new key, both PEM, for the challenge's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(challenge.key_authorization.encode()).digest()
    proof = x509.UnrecognizedExtension(_ACME_IDENTIFIER, _SHA256_OCTETS + digest)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AROUND)
        .not_valid_after(now + _AROUND)
        # RFC 8737 §3: the name and nothing but it, and the proof, which is critical.
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(challenge.name)]), critical=False)
        .add_extension(proof, critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private
