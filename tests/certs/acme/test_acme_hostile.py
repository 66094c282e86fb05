"""A CA, or whoever sits before it, that answers what no CA should: bounded, refused, told."""

import asyncio
import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certs.acme import Acme, Issued, Problem, new_key
from certs.acme.chain import leaf
from certs.acme.exchange import MAX_BYTES
from tests.certs.acme.lies import FIELDS, documents, values
from tests.certs.acme.parts import Pauses, names, new_name, opened, refused, registered, request
from tests.servers.answers import Answers
from tests.servers.authority import Authority
from tests.servers.faulty import (
    ALWAYS,
    Fault,
    Faulty,
    Step,
    as_it_comes,
    edited,
    reply,
    wrong_key,
    wrong_name,
)
from tests.servers.pebble import Pebble


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the hotel's network</html>",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"later": ' + b"[" * 100_000,
        b'{"newNonce": "\xff", "newAccount": "", "newOrder": ""}',
        b'{"newNonce": 1, "newAccount": [], "newOrder": {}}',
        b'{"newNonce": "", "newAccount": "", "newOrder": "", "meta": {"profiles": []}}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_directory_is_told_at_once(faulty: Faulty, body: bytes) -> None:
    faulty.on("directory", reply(200, body))

    async def run() -> None:
        async with opened(faulty):
            pass

    with pytest.raises(Problem, match="the CA's answer makes no sense") as raised:
        asyncio.run(run())
    assert raised.value.type == "badAnswer"


DIRECTORY = b'{"newNonce": "", "newAccount": "", "newOrder": ""}'


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (reply(200, b" " * MAX_BYTES + DIRECTORY), "it is longer than"),
        (reply(200, gzip.compress(DIRECTORY), Content_Encoding="gzip"), "malformed"),
    ],
    ids=["too long", "compressed though nobody asked"],
)
def test_no_more_is_read_than_a_ca_has_to_say(faulty: Faulty, sent: Fault, said: str) -> None:
    faulty.on("directory", sent)

    async def run() -> None:
        async with opened(faulty):
            pass

    with pytest.raises(Problem, match=said):
        asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(faulty: Faulty, answers: Answers, status: int) -> None:
    faulty.on("new-order", reply(status, Location="https://127.0.0.1:1/elsewhere"))
    problem = refused(faulty, answers)
    assert problem.type == "badAnswer"
    assert "it redirects to https://127.0.0.1:1/elsewhere" in str(problem)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/my-order/1",
        "//127.0.0.1/order",
        "http://127.0.0.1/order",
        "https://127.0.0.1/order",
        "https://127.0.0.2:{port}/order",
        "https://127.0.0.1:{port}@evil.example/order",
        "https://someone@127.0.0.1:{port}/order",
        "https://[::1/order",
        "https://127.0.0.1:99999/order",
        "file:///etc/passwd",
        "https://127.0.0.1:{port}\n/order",
        "https://" + "a" * 70_000,
    ],
    ids=lambda url: repr(url[:40]),
)
@pytest.mark.parametrize("field", ["authorizations", "finalize", "certificate"])
def test_no_place_but_the_ca_itself_is_gone_to(
    faulty: Faulty, answers: Answers, field: str, url: str
) -> None:
    there = url.replace("{port}", faulty.directory.split(":")[2].removesuffix("/dir"))
    led = edited(lambda sent: sent.update({field: [there] if field == "authorizations" else there}))
    for step in ("new-order", "order", "finalize"):
        faulty.on(step, led, times=ALWAYS)
    problem = refused(faulty, answers)
    assert problem.type == "badAnswer"
    assert "it leads to" in str(problem)
    assert len(str(problem)) < 400


@pytest.mark.parametrize(
    "location", [None, "", "nowhere", "https://evil.example/order/1", "http://127.0.0.1/order/1"]
)
def test_what_was_made_must_be_at_the_ca(
    faulty: Faulty, answers: Answers, location: str | None
) -> None:
    def fault(sent: Any, onward: Any) -> Any:
        answer = onward()
        headers = {name: value for name, value in answer.headers.items() if name != "location"}
        headers |= {} if location is None else {"Location": location}
        return type(answer)(answer.status, answer.body, headers)

    faulty.on("new-order", fault)
    assert refused(faulty, answers).type == "badAnswer"


@pytest.mark.parametrize(
    "changes",
    [
        {"authorizations": ["https://127.0.0.1/authz"] * 6},
        {"authorizations": "https://127.0.0.1/authz"},
        {"authorizations": [7]},
        {"status": "perhaps"},
        {"status": None},
        {"finalize": None},
    ],
)
def test_an_order_that_is_none_is_told(
    faulty: Faulty, answers: Answers, changes: dict[str, object]
) -> None:
    faulty.on("new-order", edited(lambda sent: sent.update(changes)))
    assert refused(faulty, answers).type == "badAnswer"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        "a" * 19,
        "a" * 129,
        "../../../../etc/passwd",
        "a" * 30 + "\n",
        "ä" * 30,
        "a.b" * 9,
    ],
)
def test_no_answer_is_readied_for_a_token_that_is_none(
    faulty: Faulty, answers: Answers, token: str
) -> None:
    before = len(answers.readied)

    def edit(sent: dict[str, Any]) -> None:
        for challenge in sent["challenges"]:
            challenge["token"] = token

    faulty.on("authorization", edited(edit))
    assert refused(faulty, answers).type == "badAnswer"
    assert len(answers.readied) == before


def test_no_other_name_is_proved_than_the_one_that_was_ordered(
    faulty: Faulty, answers: Answers
) -> None:
    before = len(answers.readied)
    other = {"type": "dns", "value": "bank.example.com"}
    faulty.on("authorization", edited(lambda sent: sent.update(identifier=other)))
    problem = refused(faulty, answers)
    assert problem.type == "badAnswer"
    assert "bank.example.com" in str(problem)
    assert len(answers.readied) == before


@pytest.mark.parametrize("offered", [[], [{"type": "dns-01", "url": "https://127.0.0.1/"}]])
def test_a_challenge_that_we_don_t_answer_is_named(
    faulty: Faulty, answers: Answers, offered: list[object]
) -> None:
    faulty.on("authorization", edited(lambda sent: sent.update(challenges=offered)))
    problem = refused(faulty, answers)
    assert problem.type == "noUsableChallenge"
    assert "http-01 is answered; it offers" in str(problem)


@pytest.mark.parametrize("status", ["expired", "revoked", "deactivated", "invalid"])
def test_an_authorisation_that_is_over_is_told(
    faulty: Faulty, answers: Answers, status: str
) -> None:
    faulty.on("authorization", edited(lambda sent: sent.update(status=status)))
    problem = refused(faulty, answers)
    assert problem.type == "unauthorized"
    assert f"the authorisation is {status}" in str(problem)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        Authority().issue("click.example.com").key_pem,
        Authority().root_pem * 11,
    ],
    ids=["nothing", "text", "no DER", "a key", "eleven of them"],
)
def test_what_is_no_chain_is_told(faulty: Faulty, answers: Answers, body: bytes) -> None:
    faulty.on("certificate", reply(200, body))
    problem = refused(faulty, answers)
    assert problem.type == "badAnswer"
    assert "it sends no chain of certificates" in str(problem)


@pytest.mark.parametrize(
    ("wrong", "named", "ours"), [(wrong_key, True, False), (wrong_name, False, True)]
)
def test_a_chain_that_doesn_t_fit_is_for_the_receiver_to_refuse(
    faulty: Faulty, answers: Answers, wrong: Fault, named: bool, ours: bool
) -> None:
    name = new_name()
    wanted = request(name)
    faulty.on("certificate", wrong)

    async def run() -> Issued:
        async with registered(faulty) as acme:
            return await acme.issue(name, wanted.csr_der, answers.respond)

    issued = asyncio.run(run())
    assert (names(issued) == [name]) is named
    assert (leaf(issued.chain_pem).public_key() == wanted.key.public_key()) is ours


def test_what_stands_around_the_certificates_is_left_out(faulty: Faulty, answers: Answers) -> None:
    around = b"subject=/CN=click\n%b\nand a key, perhaps\n"
    name = new_name()

    def fault(_: object, onward: Any) -> Any:
        answer = onward()
        return type(answer)(200, around % answer.body, answer.headers)

    faulty.on("certificate", fault)

    async def run() -> Issued:
        async with registered(faulty) as acme:
            return await acme.issue(name, request(name).csr_der, answers.respond)

    chain = asyncio.run(run()).chain_pem
    assert chain.startswith(b"-----BEGIN CERTIFICATE-----\n")
    assert b"subject" not in chain
    assert b"perhaps" not in chain


@pytest.mark.parametrize("nonce", ["", "with space", "ünïcode", "a" * 513, "semi;colon"])
def test_a_nonce_that_is_none_is_never_used(faulty: Faulty, answers: Answers, nonce: str) -> None:
    faulty.on("new-nonce", reply(200, Replay_Nonce=nonce.encode().decode("latin-1")))
    problem = refused(faulty, answers)
    assert (problem.type, problem.detail) == ("badAnswer", "it gives no nonce")
    assert faulty.count("new-account") == 0


@pytest.mark.parametrize("step", ["order", "finalize"])
def test_an_order_that_is_always_being_processed_ends_with_our_patience(
    faulty: Faulty, answers: Answers, step: Step
) -> None:
    processing = edited(lambda sent: sent.update(status="processing"))
    if step == "order":
        faulty.on("order", as_it_comes)
    else:
        faulty.on("finalize", processing)
    faulty.on("order", processing, times=8)
    # Longer than our patience: the time runs out here, and not with the machine's.
    asked = edited(lambda sent: sent.update(status="processing"), Retry_After="181")
    faulty.on("order", asked, times=ALWAYS)
    problem = refused(faulty, answers)
    assert (problem.type, problem.retry_after) == ("timedOut", 181)
    assert "the CA is making the certificate" in str(problem)


def test_what_the_ca_says_is_one_short_line_without_control_characters(
    faulty: Faulty, answers: Answers
) -> None:
    said = "\x1b]0;owned\x07 first\r\nsecond \u202e" + "x" * 9000
    document = {"type": "urn:ietf:params:acme:error:\x1b[31m", "detail": said}
    faulty.on("new-order", reply(403, json.dumps(document).encode()))
    problem = refused(faulty, answers)
    assert problem.type == "unknown"
    assert str(problem).isprintable()
    assert "first second" in str(problem)
    assert len(str(problem)) < 600


@pytest.mark.parametrize(
    "home", ["http://ca.example/dir", "ca.example", "", "https://", "https://u:p@ca.example/dir"]
)
def test_a_directory_is_at_an_https_url(home: str) -> None:
    async def run() -> None:
        async with Acme.open(home, new_key()):
            pass

    with pytest.raises(ValueError, match="an ACME directory is at an https:// URL"):
        asyncio.run(run())


def test_roots_that_can_t_be_read_are_named(pebble: Pebble) -> None:
    async def run() -> None:
        async with Acme.open(pebble.directory, new_key(), ca_file=pebble.log):
            pass

    with pytest.raises(ValueError, match=r"no roots to trust can be read from .*pebble\.log"):
        asyncio.run(run())


STEPS: tuple[Step, ...] = (
    "directory",
    "new-nonce",
    "new-account",
    "new-order",
    "authorization",
    "challenge",
    "order",
    "finalize",
    "certificate",
)


def told(document: dict[str, Any]) -> Fault:
    """Answer as the CA would, but for some of its fields."""

    def edit(sent: dict[str, Any]) -> None:
        if isinstance(sent, dict):
            sent.update(document)

    return edited(edit)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    step=st.sampled_from(STEPS),
    body=documents,
    fields=st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
    whole=st.booleans(),
)
def test_whatever_it_answers_an_order_ends_as_a_certificate_or_a_problem(
    faulty: Faulty,
    answers: Answers,
    step: Step,
    body: bytes,
    fields: dict[str, Any],
    whole: bool,
) -> None:
    faulty.mend()
    partly = told(fields) if step not in {"new-nonce", "certificate"} else as_it_comes
    faulty.on(step, reply(200, body) if whole else partly)
    name = new_name()

    async def run() -> bytes:
        async with registered(faulty, wait=Pauses()) as acme:
            ours = request(name).csr_der
            return (await acme.issue(name, ours, answers.respond, patience=2)).chain_pem

    with contextlib.suppress(Problem):
        assert asyncio.run(run()).startswith(b"-----BEGIN CERTIFICATE-----")
    assert answers.tokens == {}
