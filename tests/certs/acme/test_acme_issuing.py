"""Certificates from a real CA: Pebble, of two releases."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs.acme import (
    HTTP_01,
    TLS_ALPN_01,
    Challenge,
    ChallengeKind,
    Problem,
    new_key,
    thumbprint,
)
from certs.acme.chain import leaf
from tests.certs.acme.parts import (
    Pauses,
    leads_to,
    names,
    new_name,
    opened,
    registered,
    request,
    serial_number,
)
from tests.servers.answers import Answers
from tests.servers.faulty import Faulty, as_it_comes, between, edited
from tests.servers.fixtures import Pebbles
from tests.servers.pebble import Pebble


@pytest.mark.parametrize("challenge", [HTTP_01, TLS_ALPN_01])
def test_a_certificate_comes_for_the_name_on_the_key_of_the_request(
    each_pebble: Pebble, answers: Answers, challenge: ChallengeKind
) -> None:
    name = new_name()
    ours = request(name)
    steps = []

    async def progress(step: str, order_url: str) -> None:
        steps.append((step, order_url))

    async def run() -> None:
        async with registered(each_pebble) as acme:
            issued = await acme.issue(
                name, ours.csr_der, answers.respond, challenge=challenge, progress=progress
            )
        assert names(issued) == [name]
        public = leaf(issued.chain_pem).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert public == ours.key.public_key()
        assert leads_to(issued.chain_pem, each_pebble.root_pem())
        reached = ("ordered", "authorised", "finalised")
        assert steps == [(step, issued.order_url) for step in reached]

    asyncio.run(run())


def test_any_edge_answers_that_knows_the_thumbprint_of_the_account(
    pebble: Pebble, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, name = new_key(), new_name()
    monkeypatch.setattr(answers, "thumbprint", thumbprint(key))

    async def run() -> None:
        async with registered(pebble, key) as acme:
            issued = await acme.issue(name, request(name).csr_der, lambda _: nullcontext())
            assert names(issued) == [name]

    asyncio.run(run())


def test_a_name_is_renewed_with_another_key(pebble: Pebble, answers: Answers) -> None:
    name = new_name()

    async def run() -> None:
        async with registered(pebble) as acme:
            first = await acme.issue(name, request(name).csr_der, answers.respond)
            second = await acme.issue(name, request(name).csr_der, answers.respond)
        assert serial_number(first) != serial_number(second)
        assert leaf(first.chain_pem).public_key() != leaf(second.chain_pem).public_key()

    asyncio.run(run())


def test_alternate_chains_lead_to_other_roots(each_pebble: Pebble, answers: Answers) -> None:
    name = new_name()

    async def run() -> None:
        async with registered(each_pebble) as acme:
            issued = await acme.issue(name, request(name).csr_der, answers.respond)
            (alternate,) = issued.alternates
            chain = await acme.chain(alternate)
        assert leads_to(chain, each_pebble.root_pem(1))
        assert leaf(chain) == leaf(issued.chain_pem)

    asyncio.run(run())


def test_forty_orders_are_all_filled_where_every_other_nonce_is_refused(
    pebbles: Pebbles, answers: Answers
) -> None:
    pebble = pebbles(PEBBLE_WFE_NONCEREJECT=50)
    wanted = [new_name() for _ in range(40)]

    async def run() -> None:
        async with registered(pebble) as acme:
            issued = await asyncio.gather(
                *(acme.issue(name, request(name).csr_der, answers.respond) for name in wanted)
            )
        assert [names(one) for one in issued] == [[name] for name in wanted]

    asyncio.run(run())


def test_a_name_that_the_ca_believes_already_is_not_proved_again(
    pebbles: Pebbles, answers: Answers
) -> None:
    pebble, name = pebbles(PEBBLE_AUTHZREUSE=100), new_name()

    async def run() -> None:
        async with registered(pebble) as acme:
            for _ in range(3):
                await acme.issue(name, request(name).csr_der, answers.respond)
        assert sum(challenge.name == name for challenge in answers.readied) == 1

    asyncio.run(run())


def test_an_authorisation_that_is_valid_already_is_passed_over(
    pebbles: Pebbles, answers: Answers
) -> None:
    name = new_name()
    with between(pebbles(PEBBLE_AUTHZREUSE=100)) as ca:
        # Pebble's order would be ready then; other CAs' orders are still pending.
        ca.on("new-order", as_it_comes)
        ca.on("new-order", edited(lambda sent: sent.update(status="pending")))

        async def run() -> None:
            async with registered(ca) as acme:
                for _ in range(2):
                    await acme.issue(name, request(name).csr_der, answers.respond)

        asyncio.run(run())
    assert sum(challenge.name == name for challenge in answers.readied) == 1


def test_a_ca_that_takes_its_time_to_look_is_waited_for(pebbles: Pebbles, answers: Answers) -> None:
    pebble, name = pebbles(PEBBLE_VA_NOSLEEP=0, PEBBLE_VA_SLEEPTIME=2), new_name()

    async def run() -> None:
        async with registered(pebble) as acme:
            issued = await acme.issue(name, request(name).csr_der, answers.respond)
            assert names(issued) == [name]

    asyncio.run(run())


def test_looks_come_at_the_pace_that_the_ca_asks_for(faulty: Faulty, answers: Answers) -> None:
    name, pauses = new_name(), Pauses()
    faulty.on("authorization", as_it_comes)
    faulty.on("authorization", edited(lambda sent: sent.update(status="pending"), Retry_After="7"))
    faulty.on("order", as_it_comes)
    faulty.on("order", edited(lambda sent: sent.update(status="processing"), Retry_After="11"))

    async def run() -> None:
        async with registered(faulty, wait=pauses) as acme:
            await acme.issue(name, request(name).csr_der, answers.respond)

    asyncio.run(run())
    assert [seconds for seconds in pauses.seconds if seconds > 5] == [7, 11]


def test_an_order_ends_at_its_deadline_when_the_ca_asks_for_more_time(
    faulty: Faulty, answers: Answers
) -> None:
    name = new_name()
    faulty.on("authorization", as_it_comes)
    faulty.on(
        "authorization", edited(lambda sent: sent.update(status="pending"), Retry_After="3600")
    )

    async def run() -> None:
        async with registered(faulty) as acme:
            with pytest.raises(Problem, match="the CA is looking at") as refused:
                await acme.issue(name, request(name).csr_der, answers.respond)
        assert (refused.value.type, refused.value.retry_after) == ("timedOut", 3600)

    asyncio.run(run())


def test_an_answer_that_can_t_be_readied_is_the_caller_s_own_error(
    pebble: Pebble, answers: Answers
) -> None:
    name = new_name()

    def respond(_: Challenge) -> AbstractAsyncContextManager[None]:
        raise TimeoutError("the shared folder doesn't answer")

    async def run() -> None:
        async with registered(pebble) as acme:
            await acme.issue(name, request(name).csr_der, respond)

    with pytest.raises(TimeoutError, match="the shared folder doesn't answer"):
        asyncio.run(run())


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("last", ["ordered", "authorised", "finalised"])
def test_an_order_is_gone_on_with_by_whoever_comes_after_not_made_anew(
    faulty: Faulty, answers: Answers, last: str
) -> None:
    name, key = new_name(), new_key()
    ours = request(name)
    urls = []

    async def progress(step: str, order_url: str) -> None:
        urls.append(order_url)
        if step == last:
            raise Killed

    async def run() -> None:
        async with registered(faulty, key) as acme:
            with pytest.raises(Killed):
                await acme.issue(name, ours.csr_der, answers.respond, progress=progress)
            account_url = acme.account_url
        async with opened(faulty, key, account_url=account_url) as acme:
            issued = await acme.issue(name, ours.csr_der, answers.respond, order_url=urls[-1])
        assert leaf(issued.chain_pem).public_key() == ours.key.public_key()
        assert issued.order_url == urls[-1]

    asyncio.run(run())
    assert faulty.count("new-order") == 1


def test_a_filled_order_gives_its_chain_again(pebble: Pebble, answers: Answers) -> None:
    name = new_name()

    async def run() -> None:
        async with registered(pebble) as acme:
            csr = request(name).csr_der
            issued = await acme.issue(name, csr, answers.respond)
            again = await acme.issue(name, csr, answers.respond, order_url=issued.order_url)
        assert again == issued

    asyncio.run(run())


def test_a_profile_that_the_ca_offers_decides_how_long_the_certificate_lives(
    newer_pebble: Pebble, answers: Answers
) -> None:
    async def lifetime(profile: str) -> int:
        name = new_name()
        async with registered(newer_pebble) as acme:
            assert profile in acme.meta.profiles
            issued = await acme.issue(name, request(name).csr_der, answers.respond, profile=profile)
        certificate = leaf(issued.chain_pem)
        return (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days

    # A second is missing to a whole day, as RFC 5280 §4.1.2.5 counts the last one in.
    assert asyncio.run(lifetime("shortlived")) in {5, 6}
    assert asyncio.run(lifetime("lasting")) in {89, 90}


def test_a_profile_that_the_ca_gave_up_costs_no_certificate_and_is_said(
    each_pebble: Pebble, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    name = new_name()

    async def run() -> None:
        async with registered(each_pebble) as acme:
            issued = await acme.issue(
                name, request(name).csr_der, answers.respond, profile="tlsserver"
            )
            assert names(issued) == [name]

    asyncio.run(run())
    assert "acme_profile_not_offered" in caplog.messages


def test_a_revoked_certificate_is_revoked_and_revoking_it_again_is_fine(
    each_pebble: Pebble, answers: Answers
) -> None:
    name = new_name()

    async def run() -> None:
        async with registered(each_pebble) as acme:
            issued = await acme.issue(name, request(name).csr_der, answers.respond)
            assert each_pebble.status(serial_number(issued)) == "Valid"
            await acme.revoke(issued.chain_pem, 4)
            await acme.revoke(issued.chain_pem, 4)
        assert each_pebble.status(serial_number(issued)) == "Revoked"

    asyncio.run(run())
