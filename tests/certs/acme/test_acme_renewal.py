"""Renewal as the CA would like it: when, and as what (RFC 9773)."""

import asyncio
import json
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.acme import Issued, Problem, RenewalWindow, certificate_id
from certs.acme.chain import leaf
from certs.acme.signed import PAUSES
from tests.certs.acme.parts import Ca, names, new_name, registered, request
from tests.servers.answers import Answers
from tests.servers.authority import Authority
from tests.servers.faulty import (
    ALWAYS,
    Faulty,
    as_it_comes,
    between,
    refuse,
    refuse_replaces,
    reply,
)
from tests.servers.pebble import Pebble

WINDOW = {"start": "2027-01-02T04:00:00Z", "end": "2027-01-03T04:00:00+00:00"}
START, END = 1798862400.0, 1798948800.0
SUGGESTED = {"suggestedWindow": WINDOW, "explanationURL": "https://ca.example/incident/7"}


def window(ca: Ca, answers: Answers) -> RenewalWindow | None:
    """Have a certificate issued, and ask when to renew it."""
    name = new_name()

    async def run() -> RenewalWindow | None:
        async with registered(ca) as acme:
            issued = await acme.issue(name, request(name).csr_der, answers.respond)
            return await acme.renewal_info(issued.chain_pem)

    return asyncio.run(run())


def findable(issued: Issued) -> bool:
    """Tell whether Pebble finds a certificate by its name.

    It keeps them by serial number without the zero byte that DER puts before a first bit that is
    set, and looks for them with it (letsencrypt/pebble, ca/ca.go and core/types.go).
    """
    return leaf(issued.chain_pem).serial_number.bit_length() % 8 != 0


def renewed(
    ca: Ca, answers: Answers, times: int = 1, suits: Callable[[Issued], bool] = lambda _: True
) -> list[bool]:
    """Renew one certificate that suits so many times; tell what the CA took as renewals of it."""
    name = new_name()

    async def run() -> list[bool]:
        async with registered(ca) as acme:
            first = await acme.issue(name, request(name).csr_der, answers.respond)
            while not suits(first):
                first = await acme.issue(name, request(name).csr_der, answers.respond)
            replaces = certificate_id(first.chain_pem)
            again = [
                await acme.issue(name, request(name).csr_der, answers.respond, replaces=replaces)
                for _ in range(times)
            ]
        assert all(names(one) == [name] for one in again)
        return [one.replaced for one in again]

    return asyncio.run(run())


def test_a_certificate_is_named_as_the_rfc_has_it() -> None:
    """RFC 9773 §4.1 gives this issuer's key, this serial number and the name of both."""
    key = ec.generate_private_key(ec.SECP256R1())
    some = leaf(Authority().issue("example.com", key=key).chain_pem)
    issuer = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(some.subject)
        .issuer_name(some.issuer)
        .public_key(key.public_key())
        .serial_number(0x87654321)
        .not_valid_before(some.not_valid_before_utc)
        .not_valid_after(some.not_valid_after_utc)
        .add_extension(x509.AuthorityKeyIdentifier(issuer, None, None), critical=False)
        .sign(key, hashes.SHA256())
    )
    named = certificate_id(certificate.public_bytes(Encoding.PEM))
    assert named == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_certificate_that_doesn_t_name_its_issuer_s_key_has_no_name() -> None:
    root = Authority().root_pem
    assert certificate_id(root) == ""


def test_the_ca_s_own_window_lies_in_the_certificate_s_life(
    newer_pebble: Pebble, answers: Answers
) -> None:
    found = window(newer_pebble, answers)
    assert found is not None
    assert found.start < found.end
    assert found.retry_after == 6 * 3600


def test_a_ca_without_renewal_information_says_nothing(pebble: Pebble, answers: Answers) -> None:
    assert window(pebble, answers) is None


@pytest.mark.parametrize(
    ("asked", "wait"),
    [("", 21600), ("7200", 7200), ("0", 60), ("59", 60), ("604800", 86400), ("soon", 21600)],
)
def test_the_ca_says_when_to_ask_again_within_reason(
    faulty: Faulty, answers: Answers, asked: str, wait: int
) -> None:
    faulty.offer_renewal_info()
    headers = {"Retry_After": asked} if asked else {}
    faulty.on("renewal-info", reply(200, json.dumps(SUGGESTED).encode(), **headers))
    explained = "https://ca.example/incident/7"
    assert window(faulty, answers) == RenewalWindow(START, END, wait, explained)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{}",
        b"[]",
        json.dumps({"suggestedWindow": {"start": WINDOW["end"], "end": WINDOW["start"]}}).encode(),
        json.dumps({"suggestedWindow": {"start": WINDOW["start"]}}).encode(),
        json.dumps({"suggestedWindow": {"start": "2027-01-02T04:00", "end": "noon"}}).encode(),
        json.dumps({"suggestedWindow": {"start": 0, "end": 1}}).encode(),
    ],
)
def test_a_window_that_makes_no_sense_is_none(
    faulty: Faulty, answers: Answers, said: bytes
) -> None:
    faulty.offer_renewal_info()
    faulty.on("renewal-info", reply(200, said))
    with pytest.raises(Problem) as raised:
        window(faulty, answers)
    assert raised.value.type == "badAnswer"


def test_a_certificate_that_the_ca_forgot_has_no_window(faulty: Faulty, answers: Answers) -> None:
    faulty.offer_renewal_info()
    faulty.on("renewal-info", refuse("malformed", "never heard of it", 404))
    with pytest.raises(Problem, match="never heard of it") as raised:
        window(faulty, answers)
    assert raised.value.status == 404


def test_a_renewal_is_taken_as_one_once(newer_pebble: Pebble, answers: Answers) -> None:
    """The second is refused with 409, and ordered as for a new name."""
    assert renewed(newer_pebble, answers, times=2, suits=findable) == [True, False]


def test_a_ca_without_renewal_information_isn_t_told_what_is_replaced(
    faulty: Faulty, answers: Answers
) -> None:
    assert renewed(faulty, answers) == [False]
    assert not any("replaces" in (sent.payload or {}) for sent in faulty.seen)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("unauthorized", 403),
        ("alreadyReplaced", 409),
        ("conflict", 409),
        ("malformed", 404),
        ("malformed", 400),
        ("newlyInvented", 422),
        ("serverInternal", 500),
    ],
)
def test_what_is_replaced_is_a_hint_that_never_costs_a_certificate(
    faulty: Faulty,
    answers: Answers,
    kind: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faulty.offer_renewal_info()
    faulty.on("new-order", refuse_replaces(kind, status), times=ALWAYS)
    assert renewed(faulty, answers) == [False]
    asked = ["replaces" in sent.payload for sent in faulty.seen if sent.step == "new-order"]
    assert asked == [False, True, False]
    assert "acme_renewal_not_taken_as_one" in caplog.messages


@pytest.mark.parametrize(
    ("kind", "status", "times"),
    [
        ("rateLimited", 429, 1),
        ("rejectedIdentifier", 403, 1),
        ("caa", 403, 1),
        ("serverInternal", 503, len(PAUSES) + 1),
    ],
)
def test_a_refusal_that_has_nothing_to_do_with_it_ends_the_renewal(
    faulty: Faulty, answers: Answers, kind: str, status: int, times: int
) -> None:
    faulty.offer_renewal_info()
    faulty.on("new-order", refuse_replaces(kind, status), times=ALWAYS)
    with pytest.raises(Problem) as raised:
        renewed(faulty, answers)
    assert raised.value.type == kind
    asked = ["replaces" in sent.payload for sent in faulty.seen if sent.step == "new-order"]
    assert asked == [False] + [True] * times


def test_a_closed_account_isn_t_taken_for_a_bad_hint(faulty: Faulty, answers: Answers) -> None:
    faulty.offer_renewal_info()
    faulty.on("new-order", as_it_comes)
    closed = refuse("unauthorized", "this account is deactivated", 403)
    faulty.on("new-order", closed, times=ALWAYS)
    with pytest.raises(Problem, match="this account is deactivated"):
        renewed(faulty, answers)
    assert faulty.count("new-order") == 3


def test_behind_a_proxy_renewals_work_alike(newer_pebble: Pebble, answers: Answers) -> None:
    with between(newer_pebble) as ca:
        assert renewed(ca, answers, suits=findable) == [True]
