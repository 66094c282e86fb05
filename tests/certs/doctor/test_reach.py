"""Which addresses the doctor may be led to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.doctor.reach import special

# fmt: off
INWARD = [
    "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "::",
    "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1",
    "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1", "5f00::1",
    "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1",
]
OUTWARD = [
    "1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1", "2a01:4f8::1",
    "2400:cb00::1",
]
# fmt: on


@pytest.mark.parametrize("address", INWARD)
def test_what_leads_inward_is_named_for_what_it_is(address: str) -> None:
    assert special(address)


@pytest.mark.parametrize("address", OUTWARD)
def test_addresses_of_the_internet_are_connected_to(address: str) -> None:
    assert not special(address)


@given(st.ip_addresses(v=4))
def test_no_private_address_gets_through_inside_an_ipv6_address(
    inner: ipaddress.IPv4Address,
) -> None:
    mapped, nat64 = (f"{prefix}{inner}" for prefix in ("::ffff:", "64:ff9b::"))
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (int(inner) << 80))
    teredo = ipaddress.IPv6Address((0x20010000 << 96) | (int(inner) ^ 0xFFFFFFFF))
    assert all(special(str(each)) for each in (mapped, nat64, six_to_four, teredo))


@given(st.ip_addresses())
def test_what_python_holds_for_private_is_never_connected_to(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_reserved:
        assert special(str(address))
