"""Who is asked: an edge worker with both ports, and nginx with the same certificate."""

import contextlib
import datetime
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.edge.servers import WRITTEN_WITHIN, Ground, ServerFailed, free_port, run_nginx, running
from certs.cache import Cache
from certs.vault.bundle import Bundle
from certs.vault.master import MasterKey
from tracker.edge.settings import WorkerSettings
from tracker.reader import START, SpoolReader
from tracker.roles import TLS_GROUPS


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers on two ports."""

    name: str
    pid: int
    plain: int
    tls: int


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA for one run: a leaf and the CA's own certificate make a chain as long as a real one."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> "Authority":
        """Make one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench.tls")])
        begun = _begun(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(key, begun.sign(key, hashes.SHA256()))

    @property
    def pem(self) -> bytes:
        """The CA's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> Bundle:
        """Return a certificate for a name, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begun = _begun(subject, self.certificate.subject, key).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
        leaf = begun.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Bundle(name, leaf + self.pem, secret, 1, 0, 0)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=45))
    )


class Spool:
    """What an edge worker wrote; segments are removed as they are read, as the sweep would."""

    def __init__(self, folder: Path) -> None:
        self._reader = SpoolReader(folder)
        self._position = START
        self._hits = 0

    def hits(self) -> int:
        """Return how many hits there were so far."""
        for stream in self._reader.streams():
            while True:
                batch = stream.read(self._position)
                self._position = batch.position
                stream.forget(self._position)
                if not batch.hits:
                    break
                self._hits += len(batch.hits)
        return self._hits

    def until(self, number: int) -> None:
        """Return once there are so many hits; raise ServerFailed if some stay away."""
        end = time.monotonic() + WRITTEN_WITHIN
        while self.hits() < number:
            if time.monotonic() > end:
                raise ServerFailed(f"{number} requests were answered and {self._hits} hits kept")
            time.sleep(0.01)


class Edge:
    """An edge worker, its cache of certificates and its spool."""

    def __init__(self, stack: contextlib.ExitStack, ground: Ground) -> None:
        folder = ground.folder
        self.cache = Cache(folder / "certs", MasterKey.make(folder / "master.key"))
        (folder / "spool").mkdir()
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
            for _ in range(2)
        ]
        plain, tls = listeners
        settings = WorkerSettings(
            [plain.fileno()],
            str(folder / "spool"),
            str(ground.keyring),
            tls_listen_fds=[tls.fileno()],
            certificates=str(folder / "certs"),
            master_key=str(folder / "master.key"),
            published=str(folder / "domains.json"),
        )
        self.kept = Spool(folder / "spool")
        child = stack.enter_context(
            running(
                [sys.executable, "-m", "tracker.edge.worker"],
                ground,
                stdin=msgspec.json.encode(settings) + b"\n",
                inherited=[plain.fileno(), tls.fileno()],
                **dict(TLS_GROUPS),
            )
        )
        ports = [listener.getsockname()[1] for listener in listeners]
        self.server = Server("ours, durable", child.pid, *ports)


def nginx(stack: contextlib.ExitStack, ground: Ground, bundle: Bundle) -> Server:
    """Start nginx, which answers a constant and writes a line to a log, unforced."""
    folder, plain, tls = ground.folder, free_port(), free_port()
    (folder / "chain.pem").write_bytes(bundle.chain_pem)
    (folder / "key.pem").write_bytes(bundle.key_pem)
    child = run_nginx(
        stack,
        ground,
        f"listen 127.0.0.1:{plain} backlog=2048;",
        f"listen 127.0.0.1:{tls} ssl backlog=2048;",
        f"ssl_certificate {folder}/chain.pem;",
        f"ssl_certificate_key {folder}/key.pem;",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_ecdh_curve X25519:prime256v1:secp384r1;",
    )
    return Server("nginx, a log line", child.pid, plain, tls)
