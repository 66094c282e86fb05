"""Which addresses a webhook may be posted to: those that anybody could reach, and no others."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.webhooks.address import refusal

INSIDE = [
    "0.0.0.0",  # noqa: S104 - nobody listens there
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's metadata
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0"]
# How an IPv4 address is written in an IPv6 one, and still reached.
WRAPPED = {
    "v4-mapped": lambda four: IPv6Address(b"\0" * 10 + b"\xff\xff" + four.packed),
    "NAT64": lambda four: IPv6Address(ip_address("64:ff9b::").packed[:12] + four.packed),
}
# Those that lead to an IPv4 address by way of somebody else's machine are refused whatever it is.
TUNNELLED = {
    "6to4": lambda four: IPv6Address(b"\x20\x02" + four.packed + b"\0" * 10),
    "Teredo": lambda four: IPv6Address(
        b"\x20\x01\0\0" + b"\0" * 8 + bytes(byte ^ 0xFF for byte in four.packed)
    ),
    "v4-compatible": lambda four: IPv6Address(b"\0" * 12 + four.packed),
    "local NAT64": lambda four: IPv6Address(ip_address("64:ff9b:1::").packed[:12] + four.packed),
}


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_that_only_we_can_reach_is_refused(text: str) -> None:
    assert refusal(ip_address(text), ())


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_public_address_is_reached(text: str) -> None:
    assert refusal(ip_address(text), ()) == ""


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("text", INSIDE + OUTSIDE)
def test_an_ipv4_address_in_an_ipv6_one_is_what_it_is(text: str, how: str) -> None:
    four = IPv4Address(text)
    assert refusal(WRAPPED[how](four), ()) == refusal(four, ())


@pytest.mark.parametrize("how", TUNNELLED)
@pytest.mark.parametrize("text", ["10.0.0.1", "8.8.8.8"])
def test_tunnels_are_refused_wherever_they_lead(text: str, how: str) -> None:
    assert refusal(TUNNELLED[how](IPv4Address(text)), ())


@pytest.mark.parametrize(
    "text",
    [
        "::",
        "::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
    ],
)
def test_an_ipv6_address_that_is_not_public_is_refused(text: str) -> None:
    assert refusal(ip_address(text), ())


def test_a_public_ipv6_address_is_reached() -> None:
    assert refusal(ip_address("2606:4700:4700::1111"), ()) == ""


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"])
def test_a_network_that_the_operator_allows_is_reached_however_it_is_written(text: str) -> None:
    assert refusal(ip_address(text), [ip_network("10.1.0.0/16")]) == ""
    assert refusal(ip_address(text), [ip_network("10.2.0.0/16")])


@given(st.ip_addresses(v=4))
def test_what_we_reach_is_never_what_python_calls_private(address: IPv4Address) -> None:
    if not refusal(address, ()):
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved
