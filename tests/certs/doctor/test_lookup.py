"""Asking DNS: what a resolver says, what it doesn't, and what it must not be believed."""

import asyncio

import pytest
from dnslib import DNSRecord

from certs import lookup
from certs.lookup import Reply, Resolver, ask, resolvers
from tests.servers import dns
from tests.servers.ports import free_port

NAME = "click.example.com"


def asked(*addresses: str, name: str = NAME) -> Reply:
    return asyncio.run(ask(name, "A", resolvers(addresses)))


class BadlySigned(dns.Zone):
    """Answers SERVFAIL, as a validating resolver does, unless validation is declined."""

    def answer(self, query: bytes, room: int) -> bytes | None:
        if DNSRecord.parse(query).header.cd:
            self.remove("broken.example")
            self.add(NAME, "A", "127.0.0.1")
        else:
            self.fail(NAME, "SERVFAIL")
        reply = super().answer(query, room)
        self.remove(NAME)
        return reply


def test_wrong_signatures_are_told_from_servers_that_fail() -> None:
    with dns.serving(BadlySigned()) as signed:
        assert asked(signed.address).status == "bogus"


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"])
def test_every_refusal_is_a_failure(
    zone: dns.Zone, resolver: dns.Resolver, failure: dns.Failure
) -> None:
    zone.fail(NAME, failure)
    assert asked(resolver.address).status == "servfail"


def test_the_next_resolver_is_asked_when_one_fails(zone: dns.Zone, resolver: dns.Resolver) -> None:
    zone.add(NAME, "A", "127.0.0.1")
    broken = dns.Zone()
    broken.fail(NAME, "SERVFAIL")
    with dns.serving(broken) as first:
        assert asked(first.address, resolver.address).status == "found"


def test_a_resolver_that_isnt_there_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "PATIENCE", 0.1)
    assert asked(f"127.0.0.1:{free_port()}").status == "timeout"


def test_a_long_answer_comes_by_tcp(zone: dns.Zone, resolver: dns.Resolver) -> None:
    for last in range(200):
        zone.add(NAME, "A", f"127.0.0.{last}")
    assert len(asked(resolver.address).records) == 200


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 53),
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("::1", "::1", 53),
        ("[::1]:5353", "::1", 5353),
        ("[::1]", "::1", 53),
    ],
)
def test_a_resolver_is_written_as_an_address_with_or_without_a_port(
    text: str, host: str, port: int
) -> None:
    assert resolvers([text]) == (Resolver(host, port),)


@pytest.mark.parametrize("text", ["dns.google", "", "1.2.3", "9.9.9.9:99999", "[::1"])
def test_a_resolver_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="should be an address"):
        resolvers([text])
