"""Port 443: the certificate that each address serves, seen as clients see it."""

import asyncio
import datetime
import ssl
import warnings
from collections.abc import Callable

import pytest

from certs.doctor import Finding, https_proof
from tests.certs.doctor.world import (
    NAME,
    ONE,
    TWO,
    Site,
    World,
    answer,
    codes,
    edge,
    says,
)
from tests.servers.authority import Authority, Pair

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def looked(world: World, **changes: object) -> list[Finding]:
    return asyncio.run(https_proof(NAME, world.expected(**changes)))


def test_a_trusted_certificate_at_every_address_is_the_proof(world: World) -> None:
    world.working(ONE, TWO)
    found = looked(world)
    assert codes(found) == ["https.ok", "https.ok"]
    assert "Example Trust CA" in found[0].says


def test_one_address_without_https_spoils_it(world: World) -> None:
    world.point(ONE, TWO)
    world.https(edge(), ONE)
    assert codes(looked(world)) == ["https.ok", "https.refused"]


CERTIFICATES: dict[str, Callable[[Authority], Pair]] = {
    "https.expired": lambda ca: ca.issue(NAME, not_before=NOW - 90 * DAY, not_after=NOW - DAY),
    "https.not-yet-valid": lambda ca: ca.issue(NAME, not_before=NOW + DAY),
    "https.other-name": lambda ca: ca.issue("www.example.org"),
    "https.expiring": lambda ca: ca.issue(NAME, not_before=NOW - 80 * DAY, not_after=NOW + 9 * DAY),
    "https.self-signed": lambda _: Authority("Another Root").issue(NAME),
    "https.untrusted": lambda _: _leaf(Authority("Another Root").issue(NAME)),
    "https.staging": lambda _: _leaf(Authority("(STAGING) Pretend Pear").issue(NAME)),
}


def _leaf(pair: Pair) -> Pair:
    end = b"-----END CERTIFICATE-----\n"
    return Pair(pair.chain_pem.partition(end)[0] + end, pair.key_pem)


@pytest.mark.parametrize("code", CERTIFICATES)
def test_each_way_in_which_a_certificate_can_be_wrong_has_its_code(world: World, code: str) -> None:
    world.point(ONE)
    world.https(edge(), pair=CERTIFICATES[code](world.authority))
    assert codes(looked(world)) == [code]


@pytest.mark.parametrize("site", [says(answer(404)), says(None), edge("another-account")])
def test_a_good_certificate_before_another_server_is_no_proof(world: World, site: Site) -> None:
    world.point(ONE)
    world.https(site)
    assert codes(looked(world)) == ["https.other-server"]


def test_without_an_account_the_certificate_alone_is_told(world: World) -> None:
    world.point(ONE)
    world.https(says(answer(404)))
    assert codes(looked(world, thumbprints=())) == ["https.unproven"]


def test_plain_http_on_port_443_is_told(world: World) -> None:
    world.http_port, world.https_port = world.https_port, world.http_port
    world.point(ONE)
    world.http(says(answer(400)))
    world.http_port, world.https_port = world.https_port, world.http_port
    assert codes(looked(world)) == ["https.not-tls"]


def test_an_edge_that_has_no_certificate_for_the_name_yet_is_told(world: World) -> None:
    world.point(ONE)
    context = world.authority.issue("other.example.net").server_context(world.folder)
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    world.tls(edge(), context)
    assert codes(looked(world)) == ["https.no-certificate"]


def _old(world: World) -> ssl.SSLContext:
    context = world.authority.issue(NAME).server_context(world.folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    return context


def test_old_tls_beside_the_new_is_advised_against(world: World) -> None:
    world.point(ONE)
    world.tls(edge(), _old(world))
    assert codes(looked(world)) == ["https.ok", "https.old-tls"]


def test_old_tls_alone_is_an_error(world: World) -> None:
    world.point(ONE)
    context = _old(world)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    world.tls(edge(), context)
    assert codes(looked(world)) == ["https.old-tls-only"]


def test_nothing_is_connected_to_that_isnt_on_the_internet(world: World) -> None:
    world.point(ONE)
    asked = world.https(edge())
    assert codes(looked(world, allow_private=False)) == ["address.private"]
    assert asked.paths == []


def test_a_name_without_addresses_proves_nothing(world: World) -> None:
    assert codes(looked(world)) == ["address.none"]
