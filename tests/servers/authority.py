"""A small CA of the tests' own: for servers on loopback, and for certificates that are wrong."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A chain and the key of its leaf, both PEM."""

    chain_pem: bytes
    key_pem: bytes

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write them; return where the chain and the key are."""
        chain, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        chain.write_bytes(self.chain_pem)
        key.write_bytes(self.key_pem)
        return chain, key

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """Return what a server on TLS needs; its files are in the folder."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.write(folder, "server"))
        return context


class Authority:
    """A root that signs leaves."""

    def __init__(self, common_name: str = "Loopback Test Root") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(common_name)
        now = datetime.datetime.now(datetime.UTC)
        self._root = (
            _builder(self._name, self._name, self._key.public_key(), now - _DAY, now + 3650 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(certificate_signing(), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def root_pem(self) -> bytes:
        """The root's certificate."""
        return self._root.public_bytes(Encoding.PEM)

    def issue(
        self,
        *names: str,
        key: ec.EllipticCurvePrivateKey | None = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> Pair:
        """Sign a leaf for DNS names and addresses; valid from yesterday for 90 days unless told."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certified = self.certify(
            key.public_key(), *names, not_before=not_before, not_after=not_after
        )
        return Pair(certified, private)

    def certify(
        self,
        key: ec.EllipticCurvePublicKey,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> bytes:
        """Sign a leaf for somebody's key; return the chain."""
        now = datetime.datetime.now(datetime.UTC)
        start, end = not_before or now - _DAY, not_after or now + 90 * _DAY
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        leaf = (
            _builder(x509.Name([]), self._name, key, start, end)
            .add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=True)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM) + self.root_pem


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def certificate_signing() -> x509.KeyUsage:
    """Return what a CA may do with its key."""
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
