"""A CA, or whoever sits before it, that answers what no CA should: bounded, refused, told."""

import asyncio
import contextlib
import email.utils
import gzip
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from certs.acme import Acme, Issued, Problem, new_key, wire
from certs.acme.exchange import MAX_BYTES
from certs.acme.problem import shown
from certs.acme.wire import Answer, decoded, refusal, retry_after
from tests.certs.acme.parts import Pauses, new_name, opened, registered, request
from tests.servers.answers import Answers
from tests.servers.authority import Authority
from tests.servers.faulty import ALWAYS, Fault, Faulty, Step, as_it_comes, edited, reply
from tests.servers.pebble import Pebble

MONTH = 31 * 86400
NOW = 1_800_000_000


def refused(ca: Faulty, answers: Answers, **options: Any) -> Problem:
    """Order a certificate, and return what comes instead of it."""
    name = new_name()

    async def run() -> None:
        async with registered(ca) as acme:
            await acme.issue(name, request(name).csr_der, answers.respond, **options)

    with pytest.raises(Problem) as raised:
        asyncio.run(run())
    assert answers.tokens == {}
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the hotel's network</html>",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
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
    if step == "order":
        faulty.on("order", as_it_comes)
    faulty.on(step, edited(lambda sent: sent.update(status="processing")), times=ALWAYS)
    faulty.on("order", edited(lambda sent: sent.update(status="processing")), times=ALWAYS)
    problem = refused(faulty, answers, patience=1)
    assert problem.type == "timedOut"
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


def answer(
    body: bytes = b"", status: int = 200, date: float | None = None, **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("https://ca.example/x", status, httpx.Headers(named), body, date)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("999999999", MONTH),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MONTH),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Fri, 99 Dec 9999 99:99:99 GMT", None),
    ],
)
def test_how_long_to_wait_is_read_or_not_there(said: str, seconds: int | None) -> None:
    headers = httpx.Headers([(b"retry-after", said.encode())])
    assert retry_after(Answer("", 429, headers, b"", NOW), now=NOW + 12345) == seconds
    assert retry_after(Answer("", 429, headers, b"", None), now=NOW) == seconds


FIELDS = sorted(
    {
        *("status", "authorizations", "finalize", "certificate", "identifier", "challenges"),
        *("type", "url", "token", "error", "detail", "subproblems", "meta", "profiles"),
        *("newNonce", "newAccount", "newOrder", "renewalInfo", "suggestedWindow", "start", "end"),
    }
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["pending", "valid", "ready", "invalid", "http-01", "2027-01-02T04:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
documents = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
KINDS = [
    wire.Account,
    wire.Authorization,
    wire.Directory,
    wire.Order,
    wire.ProblemDocument,
    wire.SentRenewalInfo,
]


@given(documents, st.sampled_from(KINDS))
@example(b'{"status": "\\ud800"}', wire.Order)
@example(b"9" * 5000, wire.Order)
def test_any_bytes_are_a_value_or_a_problem(body: bytes, kind: type) -> None:
    read: object
    try:
        read = decoded(answer(body), kind)
    except Problem as problem:
        read = problem
    assert isinstance(read, kind) or (isinstance(read, Problem) and read.type == "badAnswer")
    assert isinstance(read, kind) or str(read).isprintable()


@given(documents, st.integers(300, 599), st.text(max_size=40), st.none() | st.integers(0, 2**33))
def test_any_refusal_is_a_problem_that_can_be_shown(
    body: bytes, status: int, said: str, date: int | None
) -> None:
    headers = httpx.Headers([(b"retry-after", said.encode())])
    problem = refusal(Answer("https://ca.example/x", status, headers, body, date), NOW)
    assert problem.type.isascii()
    assert problem.type.isalpha()
    assert str(problem).isprintable()
    assert len(str(problem)) < 12_000
    assert problem.retry_after is None or 0 <= problem.retry_after <= MONTH


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text, 10)) <= 11


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


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
