"""What a CA refuses: told by type, in words, to the second."""

import asyncio
import email.utils
import time

import pytest

from certs.acme import Problem
from tests.certs.acme.parts import new_name, opened, refused, registered, request
from tests.servers.answers import Answers
from tests.servers.faulty import Faulty, Step, edited, refuse, reply
from tests.servers.pebble import Pebble

DAY = 86400


@pytest.mark.parametrize("step", ["new-order", "finalize", "challenge"])
@pytest.mark.parametrize("seconds", [1, 3607, 7 * DAY])
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
