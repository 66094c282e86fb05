"""A resolver on loopback, UDP and TCP on one port, that answers as its zone says.

    zone = Zone()
    zone.add("click.example.test", "CNAME", "edge.example.test")
    zone.add("edge.example.test", "A", "127.0.0.1")
    zone.add("*.wild.test", "A", "127.0.0.1")
    zone.fail("broken.test", "SERVFAIL")
    with serving(zone) as dns:
        dns.address  # "127.0.0.1:40053"

As a resolver does, it follows CNAMEs within the zone, says NXDOMAIN for names that it knows nothing
at or beneath, and gives an empty answer for a type that a name doesn't have. Records may change
while it serves.
"""

import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal, cast

from dnslib import (
    QTYPE,
    RCODE,
    RR,
    SOA,
    DNSLabel,
    DNSRecord,
)

# What a resolver may do instead of answering. "SILENCE": nothing comes, over UDP or TCP.
Failure = Literal["SERVFAIL", "REFUSED", "NXDOMAIN", "FORMERR", "NOTIMP", "SILENCE"]
_LONGEST_CHAIN = 16


class Zone:
    """All that the resolver knows. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, list[tuple[str, RR]]] = {}
        self._failures: dict[tuple[str, str], Failure] = {}
        self._asked: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, kind: str, value: str, ttl: int = 300) -> None:
        """Add a record, its value as in a zone file; "*.example.test" is a wildcard."""
        (record,) = RR.fromZone(f"{_key(name)}. {ttl} IN {kind} {value}", origin=".")
        with self._lock:
            self._records.setdefault(_key(name), []).append((kind, record))

    def set(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """Have just these records of a kind."""
        self.remove(name, kind)
        for value in values:
            self.add(name, kind, value, ttl)

    def remove(self, name: str, kind: str = "") -> None:
        """Take a name's records of one kind away, or all of them and what fails there."""
        with self._lock:
            kept = [one for one in self._records.pop(_key(name), []) if kind not in {"", one[0]}]
            if kept:
                self._records[_key(name)] = kept
            for key in [key for key in self._failures if key[0] == _key(name)]:
                if kind in {"", key[1]}:
                    del self._failures[key]

    def fail(self, name: str, how: Failure, kind: str = "") -> None:
        """Fail for a name, for one kind of record or for all."""
        with self._lock:
            self._failures[_key(name), kind] = how

    def asked(self, name: str, kind: str = "") -> int:
        """Count the questions for a name, of one kind or of all."""
        with self._lock:
            return sum(
                count
                for (asked, of), count in self._asked.items()
                if asked == _key(name) and kind in {"", of}
            )

    def answer(self, query: bytes, room: int) -> bytes | None:
        """Answer one question in at most `room` bytes; None is silence."""
        request = DNSRecord.parse(query)
        name, kind = _key(str(request.q.qname)), str(QTYPE[request.q.qtype])
        with self._lock:
            self._asked[name, kind] += 1
            records, rcode = self._resolve(name, kind)
        if rcode == "SILENCE":
            return None
        reply = request.reply(aa=0, ra=1)
        reply.header.rcode = getattr(RCODE, rcode)
        reply.add_answer(*records)
        if not records and rcode in {"NOERROR", "NXDOMAIN"}:
            reply.add_auth(_negative(name))
        if len(packed := bytes(reply.pack())) <= room:
            return packed
        # RFC 2181 §9: the client asks again over TCP.
        truncated = request.reply(aa=0, ra=1)
        truncated.header.tc = 1
        return bytes(truncated.pack())

    def _resolve(self, name: str, kind: str) -> tuple[list[RR], str]:
        found: list[RR] = []
        for _ in range(_LONGEST_CHAIN):
            if failure := self._failures.get((name, kind)) or self._failures.get((name, "")):
                return [], failure
            records = self._at(name)
            if records is None:
                return found, "NXDOMAIN"
            found += [_at_name(one, name) for of, one in records if of == kind]
            alias = next((one for of, one in records if of == "CNAME" != kind), None)
            if alias is None:
                return found, "NOERROR"
            found.append(_at_name(alias, name))
            name = _key(str(alias.rdata))
        # A chain without end: what resolvers say then.
        return [], "SERVFAIL"

    def _at(self, name: str) -> list[tuple[str, RR]] | None:
        """Return what stands at a name; None where nothing stands at it or beneath it."""
        if name in self._records:
            return self._records[name]
        if any(known.endswith(f".{name}") for known in self._records):
            return []
        labels = name.split(".")
        for start in range(1, len(labels)):
            beneath = ".".join(labels[start:])
            if f"*.{beneath}" in self._records:
                return self._records[f"*.{beneath}"]
            if beneath in self._records:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Where a zone is served."""

    zone: Zone
    host: str
    port: int

    @property
    def address(self) -> str:
        """Host and port, as settings take them."""
        return f"{self.host}:{self.port}"


@contextmanager
def serving(zone: Zone, host: str = "127.0.0.1") -> Iterator[Resolver]:
    """Serve a zone until the block ends."""
    with ExitStack() as stack:
        tcp, udp = _same_port(zone, host)
        for server in (tcp, udp):
            stack.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        stack.callback(tcp.ending.set)
        yield Resolver(zone, host, int(tcp.server_address[1]))


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, zone: Zone, host: str) -> None:
        self.zone = zone
        self.ending = threading.Event()
        super().__init__((host, 0), _OverTcp)


class _Udp(socketserver.UDPServer):
    # RFC 6891 §6.2.5: what most clients say that they take.
    max_packet_size = 4096

    def __init__(self, zone: Zone, host: str, port: int) -> None:
        self.zone = zone
        super().__init__((host, port), _OverUdp)


class _OverTcp(socketserver.StreamRequestHandler):
    timeout = 30

    def handle(self) -> None:
        server = cast(_Tcp, self.server)
        try:
            while size := self.rfile.read(2):
                query = self.rfile.read(struct.unpack(">H", size)[0])
                reply = server.zone.answer(query, 65535)
                if reply is None:
                    server.ending.wait()
                    return
                self.wfile.write(struct.pack(">H", len(reply)) + reply)
        except (OSError, ValueError):
            return


class _OverUdp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        query, ours = cast(tuple[bytes, socket.socket], self.request)
        reply = cast(_Udp, self.server).zone.answer(query, _room(query))
        if reply is not None:
            ours.sendto(reply, self.client_address)


def _same_port(zone: Zone, host: str) -> tuple[_Tcp, _Udp]:
    """Listen for both on one port, which may be taken for one of them."""
    for _ in range(50):
        tcp = _Tcp(zone, host)
        try:
            return tcp, _Udp(zone, host, int(tcp.server_address[1]))
        except OSError:
            tcp.server_close()
    raise OSError(f"found no port that is free for UDP and TCP on {host}")


def _room(query: bytes) -> int:
    """Return how long an answer may be over UDP (RFC 6891 §6.2.3)."""
    sizes = [one.edns_len for one in DNSRecord.parse(query).ar if one.rtype == QTYPE.OPT]
    return int(max([512, *sizes]))


def _key(name: str) -> str:
    return name.rstrip(".").lower()


def _at_name(record: RR, name: str) -> RR:
    """Return a record as it stands at the name that was asked for, if a wildcard gave it."""
    return RR(DNSLabel(name), record.rtype, record.rclass, record.ttl, record.rdata)


def _negative(name: str) -> RR:
    times = (1, 3600, 600, 86400, 60)
    soa = SOA("ns.invalid", "hostmaster.invalid", times)
    return RR(DNSLabel(name.rsplit(".", maxsplit=1)[-1]), QTYPE.SOA, ttl=60, rdata=soa)
