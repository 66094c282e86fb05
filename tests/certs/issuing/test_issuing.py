import json
import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certs.acme.chain import certificate_id
from certs.acme.tlsalpn import ALPN
from certs.issuing import need
from certs.vault import attempts
from certs.vault.accounts import Accounts
from certs.vault.progress import State
from tests.certs.issuing.world import Shared, World, looking_after
from tests.patience import until
from tests.servers.authority import Pair
from tests.servers.faulty import ALWAYS, between, refuse_replaces, reply

pytestmark = pytest.mark.anyio

DAY = 86_400


def _key(chain_pem: bytes) -> object:
    return x509.load_pem_x509_certificate(chain_pem).public_key()


async def test_a_registered_name_comes_to_proven_https_by_itself(world: World) -> None:
    async with world.desk() as desk, looking_after(world, desk):
        await until(lambda: world.proven == [world.name], "HTTPS to be proven")
        bundle = world.cache.get(world.name)
        assert bundle is not None
        leaf = x509.load_pem_x509_certificate(bundle.chain_pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [world.name]
        assert [one.what for one in await desk.attempts.of(world.name)] == ["issued", "ordered"]


class FromCache(dict[str, ssl.SSLContext]):
    """What the TLS front does at a handshake of the CA: take the challenge from the cache."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.shown = 0

    def get(self, name: str, default: object = None) -> Any:
        bundle = self._world.cache.challenge(name)
        if bundle is None:
            return default
        self.shown += 1
        # A folder each: the CA asks from several places at once.
        folder = Path(tempfile.mkdtemp(dir=self._world.folder))
        context = Pair(bundle.chain_pem, bundle.key_pem).server_context(folder)
        context.set_alpn_protocols([ALPN])
        return context


async def test_a_name_is_proven_on_port_443_where_that_is_wanted(
    world: World, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = FromCache(world)
    monkeypatch.setattr(shared.answers, "certificates", front)
    async with world.desk(challenge="tls-alpn-01") as desk:
        found = await world.visited(desk)
        assert (found.generation, found.phase) == (1, "proving")
    assert front.shown > 0
    assert world.cache.challenge(world.name) is None


@pytest.mark.parametrize(
    ("kind", "value", "phase", "code"),
    [
        ("CNAME", "elsewhere.test", "dns", "cname"),
        ("CAA", '0 issue "another-ca.test"', "dns", "caa.forbids"),
    ],
)
async def test_a_name_that_does_not_lead_here_never_reaches_the_ca(
    world: World, shared: Shared, kind: str, value: str, phase: str, code: str
) -> None:
    orders = shared.ordered()
    if kind == "CAA":
        shared.zone.remove(world.name, "CNAME")
        shared.zone.add(world.name, "A", "127.0.0.1")
    shared.zone.set(world.name, kind, value)
    async with world.desk() as desk:
        found = await world.visited(desk)
        assert found.status == "processing"
        assert found.phase == phase
        assert found.code.startswith(code)
        assert found.says
        assert found.fix
    assert shared.ordered() == orders


async def test_an_edge_that_does_not_answer_for_the_account_never_reaches_the_ca(
    world: World, shared: Shared
) -> None:
    orders = shared.ordered()
    async with world.desk() as desk:
        shared.answers.thumbprint = "of-another-edge"
        found = await world.visited(desk)
        assert (found.phase, found.code) == ("preflight", "http.other-edge")
        shared.answers.thumbprint = desk.authority.thumbprint
        assert (await world.visited(desk)).phase == "proving"
    assert shared.ordered() - orders == 1


async def test_a_name_whose_dns_left_is_suspended_after_a_week_and_comes_back(
    world: World, shared: Shared
) -> None:
    async with world.desk() as desk:
        shared.zone.set(world.name, "CNAME", "elsewhere.test")
        assert (await world.visited(desk)).phase == "dns"
        world.ahead = 7 * DAY - 60
        assert (await world.visited(desk)).phase == "dns"
        world.ahead = 7 * DAY + 60
        found = await world.visited(desk)
        assert (found.status, found.phase) == ("error", "suspended")
        shared.zone.set(world.name, "CNAME", "edge.test")
        assert (await world.visited(desk)).phase == "proving"


async def test_without_the_terms_agreed_to_nothing_is_ordered(world: World, shared: Shared) -> None:
    orders = shared.ordered()
    async with world.desk(terms_agreed=False) as desk:
        found = await world.visited(desk)
        assert found.phase == "paused"
        assert "acme.terms_agreed = true" in found.fix
    assert shared.ordered() == orders


async def test_a_certificate_is_renewed_in_the_window_that_the_ca_gives(
    world: World, shared: Shared
) -> None:
    past = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
    page = "https://ca.test/why"
    told = json.dumps({"suggestedWindow": past, "explanationURL": page}).encode()
    with between(shared.ca) as ca:
        ca.offer_renewal_info()
        ca.on(
            "renewal-info", reply(200, told, Retry_After="21600", Content_Type="application/json")
        )
        async with world.desk(directory=ca.directory) as desk:
            await world.visited(desk, times=2)
            before, orders = world.cache.get(world.name), shared.ordered()
            await world.visited(desk)
            assert await desk.progress.due(world.clock(), 10, ()) == [world.name]
            found = await world.visited(desk, times=3)
            after = world.cache.get(world.name)
            assert before is not None
            assert after is not None
            assert (found.phase, found.generation) == ("active", 2)
            assert _key(after.chain_pem) != _key(before.chain_pem)
            # Pebble may stumble over it, and is then asked again without (test_acme_renewal.py).
            sent = [one.payload for one in ca.seen if one.step == "new-order"]
            replaced = [payload["replaces"] for payload in sent if "replaces" in payload]
            assert replaced == [certificate_id(before.chain_pem)]
    assert shared.ordered() - orders == 1
    assert world.proven == [world.name]


async def test_a_renewal_that_the_ca_does_not_take_for_one_is_made_without(
    world: World, shared: Shared
) -> None:
    with between(shared.ca) as ca:
        ca.on("new-order", refuse_replaces("unauthorized", 403), ALWAYS)
        async with world.desk(directory=ca.directory) as desk:
            await world.visited(desk, times=2)
            await desk.progress.ask(world.name, need.renewing(1))
            assert (await world.visited(desk)).generation == 2
            noted = await desk.attempts.of(world.name)
            assert [one.exempt for one in noted] == [False] * 4


async def test_what_a_person_asked_for_is_done_once(world: World, shared: Shared) -> None:
    async with world.desk() as desk:
        await world.visited(desk, times=2)
        orders = shared.ordered()
        assert await desk.progress.due(world.clock(), 10, ()) == []
        await desk.progress.ask(world.name, need.renewing(1))
        assert await desk.progress.due(world.clock(), 10, ()) == [world.name]
        found = await world.visited(desk, times=3)
        assert (found.phase, found.generation) == ("active", 2)
    assert shared.ordered() - orders == 1


async def test_a_revoked_certificate_is_replaced_with_a_new_key_at_once(
    world: World, shared: Shared
) -> None:
    async with world.desk() as desk:
        await world.visited(desk, times=2)
        before = world.cache.get(world.name)
        assert before is not None
        await desk.progress.ask(world.name, need.revoking(1, 1))
        found = await world.visited(desk, times=3)
        after = world.cache.get(world.name)
        assert after is not None
        assert (found.phase, found.generation) == ("active", 2)
        assert _key(after.chain_pem) != _key(before.chain_pem)
        leaf = x509.load_pem_x509_certificate(before.chain_pem)
        assert shared.ca.status(leaf.serial_number) == "Revoked"


async def test_another_ca_replaces_certificates_with_an_account_of_its_own(
    world: World, shared: Shared
) -> None:
    async with world.desk() as desk:
        await world.visited(desk, times=2)
    with between(shared.ca) as other:
        async with world.desk(directory=other.directory) as desk:
            assert len(world.cache.thumbprints()) == 2
            # An edge answers with the first: it has to be that of the CA which asks now.
            assert world.cache.thumbprints()[0] == desk.authority.thumbprint
            served = world.cache.get(world.name)
            assert served is not None
            assert served.generation == 1
            found = await world.visited(desk)
            assert (found.generation, found.directory) == (2, other.directory)
            accounts = await Accounts(desk.vault).all()
            assert [one.directory for one in accounts] == [
                shared.ca.directory,
                other.directory,
            ]


async def test_a_name_that_is_not_wanted_any_more_is_left_alone(world: World) -> None:
    async with world.desk() as desk:
        await world.visited(desk, times=2)
        await desk.progress.want([], world.clock())
        assert await desk.progress.all() == []
        assert await desk.progress.due(world.clock() + 3650 * DAY, 10, ()) == []
        assert world.cache.get(world.name) is not None


@pytest.mark.parametrize(
    ("what", "number", "says"),
    [
        ("issued", 5, "5 certificates of the same name within 7 days"),
        ("unproven", 5, "5 failed validations of a name within an hour"),
        ("ordered", 300, "300 orders of an account within 3 hours"),
    ],
)
async def test_a_limit_of_the_ca_is_kept_to_without_asking_it(
    world: World, shared: Shared, what: attempts.What, number: int, says: str
) -> None:
    orders = shared.ordered()
    async with world.desk() as desk:
        async with desk.vault.writing() as connection:
            for _ in range(number):
                await attempts.add(connection, desk.attempt(world.name, what))
        found = await world.visited(desk)
        assert found.phase == "limited"
        assert says in found.says
        assert found.next_at > world.clock()
    assert shared.ordered() == orders


async def test_a_ca_that_always_wants_a_renewal_is_not_obeyed_for_ever(
    world: World, shared: Shared
) -> None:
    past = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
    told = json.dumps({"suggestedWindow": past}).encode()
    with between(shared.ca) as ca:
        ca.offer_renewal_info()
        ca.on(
            "renewal-info",
            reply(200, told, Retry_After="21600", Content_Type="application/json"),
            ALWAYS,
        )
        async with world.desk(directory=ca.directory) as desk:
            found = await world.visited(desk, times=20)
            assert (found.status, found.phase, found.generation) == ("active", "limited", 8)
            assert "8 certificates of the same name within a day" in found.says


async def test_states_are_kept_as_they_were_put(world: World) -> None:
    async with world.desk() as desk:
        found = await desk.progress.of(world.name)
        assert isinstance(found, State)
        assert (found.name, found.phase) == (world.name, "registered")
