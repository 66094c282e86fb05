"""Contexts: a server's name in, what its handshake needs out.

A context is built when its name is first asked for and again when its certificate changes;
connections that began with the one before keep it. No more than `REMEMBERED` are held.
"""

import logging
import os
import ssl
from collections import OrderedDict
from typing import Final, NamedTuple, Protocol

# Measured with OpenSSL 3.0: one takes about 20 kB and 1.4 ms to build, a handshake 0.7 ms.
REMEMBERED: Final = 2000
HTTP: Final = "http/1.1"  # the protocols by their names in ALPN
CHALLENGE: Final = "acme-tls/1"  # RFC 8737 §6.2

# Mozilla's "intermediate" (wiki.mozilla.org/Security/Server_Side_TLS, 5.7), of it what a P-256 or
# RSA key can use. TLS 1.3 has OpenSSL's own three suites, which are Mozilla's.
CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)

logger = logging.getLogger(__name__)


class Bundle(Protocol):
    """A certificate chain and its key."""

    @property
    def chain_pem(self) -> bytes:
        """The chain, the leaf first."""

    @property
    def key_pem(self) -> bytes:
        """The leaf's key, unencrypted."""


class Certificates(Protocol):
    """Where certificates come from: a folder in memory's reach, never the network."""

    def version(self, name: str) -> object:
        """Return what changes when the name's certificate does, None where it has none.

        It is asked at each handshake.
        """

    def get(self, name: str) -> Bundle | None:
        """Return the name's certificate; None if it has none, or none that can be read."""

    def challenge(self, name: str) -> Bundle | None:
        """Return the certificate that answers a TLS-ALPN-01 challenge at present."""


class Unusable(Exception):
    """There is a certificate, and nothing can be done with it."""


_NEVER: Final = object()  # a version that no certificate has


class _Held(NamedTuple):
    version: object
    context: ssl.SSLContext | None  # None: the certificate of this version is unusable


class Contexts:
    """The contexts of one worker. `base` holds no certificate: sessions begin in it.

    Session tickets belong to the context that a session began in, whatever certificate it is
    given afterwards. So a ticket outlives its name's renewal and its context's being forgotten.
    """

    def __init__(self, certificates: Certificates, remembered: int = REMEMBERED) -> None:
        self.base = context(HTTP)
        self.built = 0
        self._certificates = certificates
        self._remembered = remembered
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def ordinary(self, name: str) -> ssl.SSLContext | None:
        """Return the name's context, None where it has no certificate; raise Unusable."""
        # Asked for before the certificate is read: one that is replaced meanwhile is read again.
        version = self._certificates.version(name)
        if version is None:
            self._held.pop(name, None)
            return None
        held = self._held.get(name)
        if held is None or held.version != version:
            held = self._held[name] = self._load(name, version, held)
            if len(self._held) > self._remembered:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        if held.context is None:
            raise Unusable(name)
        return held.context

    def challenge(self, name: str) -> ssl.SSLContext | None:
        """Return what proves the name to a CA that asks by TLS-ALPN-01 (RFC 8737 §3)."""
        bundle = self._certificates.challenge(name)
        if bundle is None:
            return None
        try:
            return self._build(bundle, CHALLENGE)
        except (OSError, ValueError) as error:
            raise Unusable(name) from error

    def _load(self, name: str, version: object, before: _Held | None) -> _Held:
        """Load a certificate; with one that is damaged go on with the one before."""
        last = before.context if before else None
        try:
            bundle = self._certificates.get(name)
            if bundle is None:
                return _Held(version, last)
            return _Held(version, self._build(bundle, HTTP))
        except (OSError, ValueError) as error:
            logger.error("certificate_unusable", extra={"domain": name, "why": str(error)})
            # What is damaged stays so until it is replaced; no file or memory left may pass.
            lasting = isinstance(error, ssl.SSLError | ValueError)
            return _Held(version if lasting else _NEVER, last)

    def _build(self, bundle: Bundle, protocol: str) -> ssl.SSLContext:
        made = context(protocol)
        load(made, bundle)
        self.built += 1
        return made


def context(protocol: str) -> ssl.SSLContext:
    """Return a context without a certificate, for one application protocol."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHERS)
    made.set_alpn_protocols([protocol])
    made.num_tickets = 1  # each takes 35 us; who resumes gets the next one
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return made


def load(into: ssl.SSLContext, bundle: Bundle) -> None:
    """Put a certificate and its key into a context; raise OSError if they don't fit together.

    `load_cert_chain` takes paths alone: a file in memory keeps the key from every disk.
    """
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(bundle.key_pem + b"\n" + bundle.chain_pem)
        into.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
