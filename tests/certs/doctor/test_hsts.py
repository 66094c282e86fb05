"""A parent's HSTS: browsers insist on HTTPS, so it had better be there."""

import asyncio

import pytest

from certs.doctor import check
from certs.doctor.hsts import binds
from tests.certs.doctor.world import NAME, ONE, TWO, World, answer, codes, edge, says

HEADER = "max-age=31536000; includeSubDomains"


def bound(world: World, **changes: object) -> bool:
    return "hsts.bound" in codes(asyncio.run(check(NAME, world.expected(**changes))))


def parent(world: World, header: str) -> None:
    world.zone.add("example.com", "A", TWO)
    world.https(
        says(answer(Strict_Transport_Security=header)), TWO, world.authority.issue("example.com")
    )


def test_http_links_beneath_a_parent_that_insists_on_https_are_told(world: World) -> None:
    world.point(ONE)
    world.http(edge())
    parent(world, HEADER)
    assert bound(world)
    assert bound(world, https=False)


def test_nothing_is_told_where_https_works(world: World) -> None:
    world.working(ONE)
    parent(world, HEADER)
    assert not bound(world)


def test_a_parent_whose_certificate_no_browser_trusts_binds_nobody(world: World) -> None:
    world.point(ONE)
    world.zone.add("example.com", "A", TWO)
    world.https(
        says(answer(Strict_Transport_Security=HEADER)), TWO, world.authority.issue("other.org")
    )
    assert not bound(world)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER, True),
        ("INCLUDESUBDOMAINS ;max-age=1", True),
        ("max-age=31536000", False),
        ('max-age="0"; includeSubDomains', False),
        ("", False),
    ],
)
def test_the_header_says_whether_names_beneath_are_meant(header: str, expected: bool) -> None:
    assert binds(header) is expected
