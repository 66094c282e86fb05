"""What a CA refuses, and what keeps us from hearing it: told by type, in words, to the second."""

import asyncio
import email.utils
import time

import pytest

from certs.acme import Acme, Issued, Problem, new_key
from certs.acme.signed import NONCE_TRIES, PAUSES
from tests.certs.acme.parts import names, new_name, opened, registered, request
from tests.servers.answers import Answers
from tests.servers.faulty import (
    ALWAYS,
    Fault,
    Faulty,
    Step,
    cut_after,
    cut_before,
    edited,
    refuse,
    reply,
)
from tests.servers.pebble import Pebble

STEPS: tuple[Step, ...] = (
    "new-order",
    "authorization",
    "challenge",
    "order",
    "finalize",
    "certificate",
)
DAY = 86400


def refused(ca: Pebble | Faulty, answers: Answers, name: str = "") -> Problem:
    """Order a certificate, and return what comes instead of it."""
    name = name or new_name()

    async def run() -> Problem:
        async with registered(ca) as acme:
            with pytest.raises(Problem) as raised:
                await acme.issue(name, request(name).csr_der, answers.respond)
        return raised.value

    return asyncio.run(run())


def issued(ca: Faulty, answers: Answers) -> list[str]:
    """Order a certificate; return the names that it is for."""
    name = new_name()

    async def run() -> Issued:
        async with registered(ca) as acme:
            return await acme.issue(name, request(name).csr_der, answers.respond)

    found = names(asyncio.run(run()))
    assert found == [name]
    return found


@pytest.mark.parametrize("step", ["new-order", "finalize", "challenge"])
@pytest.mark.parametrize("seconds", [1, 17, 3600, 7 * DAY])
def test_a_rate_limit_says_to_the_second_when_to_come_again(
    faulty: Faulty, answers: Answers, step: Step, seconds: int
) -> None:
    faulty.on(step, refuse("rateLimited", "too many of them", 429, retry_after=str(seconds)))
    problem = refused(faulty, answers)
    assert (problem.type, problem.status, problem.retry_after) == ("rateLimited", 429, seconds)
    assert "too many of them" in str(problem)
    assert f"asks to wait {seconds} s" in str(problem)
    assert faulty.count(step) == 1


@pytest.mark.parametrize("ahead", [-3 * DAY, 0, 3 * DAY])
def test_a_date_to_come_again_is_read_by_the_clock_of_the_ca(
    faulty: Faulty, answers: Answers, ahead: int
) -> None:
    theirs = 1_800_000_000
    dates = {
        "Date": email.utils.formatdate(theirs, usegmt=True),
        "Retry-After": email.utils.formatdate(theirs + 90, usegmt=True),
    }
    faulty.on("new-account", reply(429, b"", Date=dates["Date"], Retry_After=dates["Retry-After"]))

    async def run() -> tuple[Problem, float]:
        async with opened(faulty, clock=lambda: float(theirs + ahead)) as acme:
            with pytest.raises(Problem) as raised:
                await acme.register(terms_agreed=True)
            return raised.value, acme.skew

    problem, skew = asyncio.run(run())
    assert (problem.type, problem.retry_after) == ("rateLimited", 90)
    assert skew == ahead


def test_how_far_our_clock_is_off_is_known_from_the_first_answer(pebble: Pebble) -> None:
    async def run() -> float:
        async with opened(pebble, clock=lambda: time.time() + 3 * DAY) as acme:
            return acme.skew

    assert asyncio.run(run()) == pytest.approx(3 * DAY, abs=60)


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("caa", 403, "a CAA record forbids this CA to issue for the name"),
        ("rejectedIdentifier", 400, "the CA doesn't issue for this name"),
        ("userActionRequired", 403, "wants something done by hand first"),
        ("newlyInvented", 418, "the CA refused"),
    ],
)
def test_the_ca_s_word_for_a_refusal_is_kept_and_explained(
    faulty: Faulty, answers: Answers, kind: str, status: int, words: str
) -> None:
    faulty.on("new-order", refuse(kind, "we would rather not", status))
    problem = refused(faulty, answers)
    assert (problem.type, problem.status, problem.retry_after) == (kind, status, None)
    assert words in str(problem)
    assert "we would rather not" in str(problem)


def test_each_name_s_part_of_a_refusal_is_told(faulty: Faulty, answers: Answers) -> None:
    part = {
        "type": "urn:ietf:params:acme:error:caa",
        "detail": "issue is ';'",
        "identifier": {"type": "dns", "value": "click.example.com"},
    }
    faulty.on("finalize", refuse("compound", "see the parts", 403, subproblems=[part]))
    problem = refused(faulty, answers)
    (found,) = problem.subproblems
    assert (found.type, found.identifier) == ("caa", "click.example.com")
    assert "click.example.com: issue is ';'" in str(problem)


def test_a_name_that_the_ca_never_issues_for_is_refused_with_its_word(
    each_pebble: Pebble, answers: Answers
) -> None:
    problem = refused(each_pebble, answers, "refused.example.test")
    assert problem.type == "rejectedIdentifier"


def test_another_answer_than_ours_at_the_name_is_told_in_the_ca_s_words(
    each_pebble: Pebble, answers: Answers
) -> None:
    name = new_name()

    async def run() -> Problem:
        async with registered(each_pebble) as acme:
            with pytest.raises(Problem) as raised:
                await acme.issue(name, request(name).csr_der, answers.respond_wrongly)
        return raised.value

    problem = asyncio.run(run())
    assert problem.type in {"unauthorized", "incorrectResponse"}
    assert "of-another-account" in problem.detail


@pytest.mark.parametrize("name", ["lame.example.test", "gone.example.net"])
def test_a_name_that_can_t_be_looked_up_is_told_in_the_ca_s_words(
    each_pebble: Pebble, answers: Answers, name: str
) -> None:
    problem = refused(each_pebble, answers, name)
    assert problem.status == 400
    assert name in problem.detail


def test_answers_are_taken_away_once_the_ca_has_looked(pebble: Pebble, answers: Answers) -> None:
    refused(pebble, answers, "lame.example.test")
    assert answers.tokens == {}


@pytest.mark.parametrize(
    "missing", [{"status": "invalid"}, {"status": "invalid", "error": {"detail": "no reason"}}]
)
def test_an_order_that_the_ca_gives_up_is_a_problem(
    faulty: Faulty, answers: Answers, missing: dict[str, object]
) -> None:
    faulty.on("finalize", edited(lambda sent: sent.update(missing)))
    assert refused(faulty, answers).type in {"orderInvalid", "unknown"}


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
        async with registered(faulty) as acme:
            first = asyncio.create_task(acme.issue(stuck, request(stuck).csr_der, answers.respond))
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
