"""A CA that is busy, hangs, breaks off or isn't there: what is tried again, and what never is."""

import asyncio

import pytest

from certs.acme import Acme, Issued, Problem, new_key
from certs.acme.signed import NONCE_TRIES, PAUSES
from tests.certs.acme.parts import names, new_name, opened, refused, registered, request
from tests.servers.answers import Answers
from tests.servers.faulty import ALWAYS, Fault, Faulty, Step, cut_after, cut_before, refuse, reply
from tests.servers.pebble import Pebble

NO_END = 3600  # seconds; whoever hangs does so for longer than the test takes
STEPS: tuple[Step, ...] = (
    "new-order",
    "authorization",
    "challenge",
    "order",
    "finalize",
    "certificate",
)


def issued(ca: Faulty, answers: Answers) -> list[str]:
    """Order a certificate; return the names that it is for."""
    name = new_name()

    async def run() -> Issued:
        async with registered(ca) as acme:
            return await acme.issue(name, request(name).csr_der, answers.respond)

    found = names(asyncio.run(run()))
    assert found == [name]
    return found


def test_a_ca_that_is_busy_for_a_moment_is_asked_again(faulty: Faulty, answers: Answers) -> None:
    busy = refuse("rateLimited", "busy; come again", 503, retry_after="2")
    for step in STEPS:
        faulty.on(step, busy, times=2)
    assert issued(faulty, answers)
    assert faulty.count("new-order") == 3


def test_a_ca_that_stays_busy_is_left_alone(faulty: Faulty, answers: Answers) -> None:
    faulty.on("new-order", reply(503, b"<html>busy</html>"), times=ALWAYS)
    problem = refused(faulty, answers)
    assert (problem.type, problem.status) == ("serverInternal", 503)
    assert faulty.count("new-order") == len(PAUSES) + 1


def test_a_ca_that_is_busy_for_long_is_left_alone_at_once(faulty: Faulty, answers: Answers) -> None:
    faulty.on("new-order", refuse("serverInternal", "down until noon", 503, retry_after="900"))
    assert refused(faulty, answers).retry_after == 900
    assert faulty.count("new-order") == 1


def test_a_fault_of_the_ca_s_own_isn_t_met_with_a_second_order(
    faulty: Faulty, answers: Answers
) -> None:
    faulty.on("new-order", reply(500))
    problem = refused(faulty, answers)
    assert (problem.type, problem.status) == ("serverInternal", 500)
    assert faulty.count("new-order") == 1


def test_a_look_is_repeated_whatever_went_wrong_with_it(faulty: Faulty, answers: Answers) -> None:
    faulty.on("authorization", reply(502))
    faulty.on("order", cut_before)
    faulty.on("certificate", cut_after)
    assert issued(faulty, answers)


def test_a_lost_answer_to_the_request_for_the_certificate_costs_nothing(
    faulty: Faulty, answers: Answers
) -> None:
    faulty.on("finalize", cut_after)
    assert issued(faulty, answers)
    assert (faulty.count("finalize"), faulty.count("new-order")) == (1, 1)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("cut", [cut_before, cut_after])
def test_an_order_survives_a_line_that_breaks(
    faulty: Faulty, answers: Answers, step: Step, cut: Fault
) -> None:
    """Where the client can't tell what the CA heard, another run goes on with the order."""
    name, orders = new_name(), [""]
    ours = request(name)
    faulty.on(step, cut)

    async def progress(_: str, order_url: str) -> None:
        orders.append(order_url)

    async def order(acme: Acme) -> Issued | Problem:
        try:
            return await acme.issue(
                name, ours.csr_der, answers.respond, order_url=orders[-1], progress=progress
            )
        except Problem as problem:
            return problem

    async def run() -> Issued:
        async with registered(faulty) as acme:
            first = await order(acme)
            if isinstance(first, Problem):
                assert (first.type, step) == ("unreachable", "new-order")
                first = await order(acme)
        assert isinstance(first, Issued)
        return first

    assert names(asyncio.run(run())) == [name]
    # Only when the very answer to it was lost may there be another.
    assert faulty.count("new-order") == (2 if step == "new-order" else 1)


@pytest.mark.parametrize("step", STEPS)
def test_a_ca_that_hangs_holds_nothing_up_for_longer_than_it_was_given(
    faulty: Faulty, answers: Answers, step: Step
) -> None:
    name, key = new_name(), new_key()

    async def order(account_url: str) -> Issued:
        async with opened(faulty, key, account_url=account_url, patience=0.2) as acme:
            return await acme.issue(name, request(name).csr_der, answers.respond, patience=2)

    async def run() -> None:
        async with registered(faulty, key) as acme:
            faulty.on(step, faulty.hang, times=ALWAYS)
            await order(acme.account_url)

    with pytest.raises(Problem, match=r"no whole answer from 127\.0\.0\.1|went by") as raised:
        asyncio.run(run())
    assert raised.value.type == "timedOut"
    assert answers.tokens == {}


@pytest.mark.parametrize("step", ["directory", "new-nonce", "new-account"])
def test_a_ca_that_hangs_from_the_start_is_told_apart(faulty: Faulty, step: Step) -> None:
    faulty.on(step, faulty.hang)

    async def run() -> str:
        async with registered(faulty, patience=0.2) as acme:
            return acme.account_url

    with pytest.raises(Problem, match=r"no whole answer from 127\.0\.0\.1 within 0\.2 s"):
        asyncio.run(run())


def test_one_order_s_hanging_ca_holds_no_other_up(faulty: Faulty, answers: Answers) -> None:
    faulty.on("new-order", faulty.hang)
    stuck, other = new_name(), new_name()

    async def run() -> list[str]:
        async with registered(faulty, patience=NO_END) as acme:
            ours = request(stuck).csr_der
            first = asyncio.create_task(acme.issue(stuck, ours, answers.respond, patience=NO_END))
            while not faulty.count("new-order"):
                await asyncio.sleep(0.01)
            done = await acme.issue(other, request(other).csr_der, answers.respond)
            assert not first.done()
            first.cancel()
        return names(done)

    assert asyncio.run(run()) == [other]


def test_a_ca_that_refuses_every_nonce_is_given_up(faulty: Faulty, answers: Answers) -> None:
    faulty.on("new-order", refuse("badNonce", "not this one", 400), times=ALWAYS)
    assert refused(faulty, answers).type == "badNonce"
    assert faulty.count("new-order") == NONCE_TRIES


def test_a_ca_that_isn_t_there_is_named(pebble: Pebble) -> None:
    async def run() -> None:
        async with Acme.open("https://127.0.0.1:1/dir", new_key(), ca_file=pebble.ca_file):
            pass

    with pytest.raises(Problem, match=r"can't be reached.*127\.0\.0\.1") as raised:
        asyncio.run(run())
    assert raised.value.type == "unreachable"


def test_a_ca_whose_certificate_we_don_t_trust_is_asked_nothing(pebble: Pebble) -> None:
    async def run() -> None:
        async with Acme.open(pebble.directory, new_key()):
            pass

    with pytest.raises(Problem, match="CERTIFICATE_VERIFY_FAILED") as raised:
        asyncio.run(run())
    assert raised.value.type == "unreachable"
