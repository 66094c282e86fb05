"""The preflight: who answers on port 80 of each address, found out without the CA."""

import asyncio
import socket

import pytest

from certs.doctor import Finding, preflight
from tests.certs.doctor.world import (
    EDGE,
    NAME,
    ONE,
    OURS,
    TWO,
    Site,
    World,
    answer,
    codes,
    edge,
    says,
)


def looked(world: World, **changes: object) -> list[Finding]:
    return asyncio.run(preflight(NAME, world.expected(**changes)))


SITES: dict[str, tuple[Site, str, str]] = {
    "this edge": (edge(), "http.ok", ""),
    "this edge with an end of line": (
        lambda path: answer(body=f"{path.rpartition('/')[2]}.{OURS}\r\n"),
        "http.ok",
        "",
    ),
    "another edge": (edge("another-account"), "http.other-edge", ""),
    "a web server": (says(answer(404, Server="nginx/1.22.1")), "http.other-server", "nginx/1.22.1"),
    "a page that is always there": (says(answer(200, "Hello")), "http.other-server", "200"),
    "the answer with an error's status": (
        lambda path: answer(404, f"{path.rpartition('/')[2]}.{OURS}"),
        "http.other-edge",
        "",
    ),
    "a redirect to https": (
        says(answer(301, Location=f"https://{NAME}/x")),
        "http.redirect-https",
        f"https://{NAME}/x",
    ),
    "a redirect elsewhere": (
        says(answer(302, Location="http://www.example.com/")),
        "http.redirect",
        "www.example.com",
    ),
    "a redirect to nowhere": (says(answer(302)), "http.redirect", "nowhere"),
    "Cloudflare": (says(answer(404, CF_Ray="8f2-FRA")), "http.cdn", "Cloudflare"),
    "CloudFront": (says(answer(403, X_Amz_Cf_Id="x")), "http.cdn", "CloudFront"),
    "Cloudflare's redirect": (
        says(answer(301, Location=f"https://{NAME}/", Server="cloudflare")),
        "http.redirect-https",
        "by Cloudflare",
    ),
    "another protocol": (says(b"220 mail.example.com ESMTP\r\n"), "http.not-http", ""),
    "someone who hangs up": (says(None), "http.not-http", ""),
    "headers without end": (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9999), "http.not-http", ""),
    "half an answer": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHel"),
        "http.not-http",
        "",
    ),
}


@pytest.mark.parametrize("who", SITES)
def test_whoever_answers_on_port_80_is_told_apart(world: World, who: str) -> None:
    site, code, words = SITES[who]
    world.point(ONE)
    world.http(site)
    (found,) = looked(world)
    assert found.code == code
    assert words in found.says


def test_every_address_must_answer(world: World) -> None:
    world.point(ONE, TWO)
    world.http(edge(), ONE)
    assert codes(looked(world)) == ["http.ok", "http.refused"]


def test_an_address_that_isnt_ours_is_asked_as_well(world: World) -> None:
    world.zone.add(EDGE, "A", ONE)
    world.zone.set(NAME, "A", ONE, TWO)
    world.http(edge(), ONE)
    world.http(says(answer(404)), TWO)
    assert codes(looked(world)) == ["http.ok", "http.other-server"]


def test_ipv6_is_asked_too(world: World) -> None:
    if not _has_ipv6():
        pytest.skip("THIS MACHINE HAS NO IPv6 ON LOOPBACK")
    world.point(ONE, "::1")
    world.http(edge(), ONE)
    found = looked(world)
    assert codes(found) == ["http.ok", "http.refused"]
    assert f"[::1]:{world.http_port}" in found[1].says


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_no_redirect_is_followed(world: World) -> None:
    world.point(ONE)
    elsewhere = world.http(edge(), TWO)
    world.http(says(answer(302, Location=f"http://{TWO}:{world.http_port}/")), ONE)
    looked(world)
    assert elsewhere.paths == []


def test_each_question_has_a_token_of_its_own(world: World) -> None:
    world.point(ONE)
    asked = world.http(edge())
    looked(world)
    looked(world)
    assert len(set(asked.paths)) == 2
    assert all(path.startswith("/.well-known/acme-challenge/") for path in asked.paths)


def test_nothing_is_connected_to_that_isnt_on_the_internet(world: World) -> None:
    world.point(ONE)
    asked = world.http(edge())
    assert codes(looked(world, allow_private=False)) == ["address.private"]
    assert asked.paths == []


def test_private_addresses_are_connected_to_where_they_are_set_for_the_edges_own(
    world: World,
) -> None:
    world.point(ONE, TWO)
    world.http(edge(), ONE)
    asked = world.http(edge(), TWO)
    found = looked(world, allow_private=False, addresses=(ONE,))
    assert codes(found) == ["address.private", "http.ok"]
    assert asked.paths == []


def test_a_name_with_many_addresses_costs_no_more_than_32_connections(world: World) -> None:
    world.point(*(f"127.0.1.{last}" for last in range(1, 40)))
    assert codes(looked(world)) == ["address.many"] + ["http.refused"] * 32


def test_a_body_without_end_is_not_read_to_its_end(world: World) -> None:
    world.point(ONE)
    # It is cut off after 20 kB: whoever waited for the rest would say so.
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    world.http(says(endless + b"x" * 20_000))
    assert codes(looked(world)) == ["http.other-server"]


def test_what_a_server_says_reaches_no_terminal_as_it_is(world: World) -> None:
    world.point(ONE)
    world.http(says(answer(404, Server="\x9b31mred" + "x" * 500)))
    (found,) = looked(world)
    assert found.says.isprintable()
    assert len(found.says) < 250


def test_without_an_account_only_silence_is_told(world: World) -> None:
    world.point(ONE, TWO)
    world.http(says(answer(404)), ONE)
    assert codes(looked(world, thumbprints=())) == ["edge.no-account", "http.refused"]


def test_an_edge_that_has_changed_accounts_answers_with_either(world: World) -> None:
    world.point(ONE)
    world.http(edge("the-new-one"))
    assert codes(looked(world, thumbprints=(OURS, "the-new-one"))) == ["http.ok"]


def test_a_cdns_redirect_is_no_error_where_a_cdn_is_wanted(world: World) -> None:
    world.point(ONE)
    world.http(says(answer(301, Location=f"https://{NAME}/")))
    assert codes(looked(world, external=True)) == ["http.redirect-external"]


@pytest.mark.parametrize(
    ("records", "code"), [((), "address.none"), (((NAME, "CNAME", "gone.org."),), "cname.dangling")]
)
def test_a_name_that_leads_nowhere_fails_before_port_80(
    world: World, records: tuple[tuple[str, str, str], ...], code: str
) -> None:
    for record in records:
        world.zone.add(*record)
    assert codes(looked(world)) == [code]
