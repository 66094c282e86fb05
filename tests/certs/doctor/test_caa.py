"""Who may issue, as a CA reads it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.doctor import Finding, caa
from certs.doctor.caa import Permission, permission
from tests.certs.doctor.world import EDGE, NAME, ONE, World, codes
from tests.servers import dns

LE = '0 issue "letsencrypt.org"'
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/7"


def looked(world: World, **changes: object) -> Finding:
    (found,) = asyncio.run(caa(NAME, world.expected(**changes)))
    return found


RECORDS = {
    "no record": ((), "caa.ok"),
    "ours": ((LE,), "caa.ok"),
    "ours in other case": (('0 ISSUE "LetsEncrypt.org"',), "caa.ok"),
    "ours among others": (('0 issue "digicert.com"', LE), "caa.ok"),
    "another's": (('0 issue "digicert.com"',), "caa.forbids"),
    "nobody": (('0 issue ";"',), "caa.forbids"),
    "nothing": (('0 issue ""',), "caa.forbids"),
    "what is malformed": (('0 issue "letsencrypt.org; validationmethods"',), "caa.forbids"),
    "a wildcard's issuer": (('0 issuewild "digicert.com"',), "caa.ok"),
    "nobody for wildcards": ((LE, '0 issuewild ";"'), "caa.ok"),
    "where to complain": (('0 iodef "mailto:security@example.com"',), "caa.ok"),
    "an unknown tag": ((LE, '0 future "yes"'), "caa.ok"),
    "an unknown critical tag": ((LE, '128 future "yes"'), "caa.critical"),
    "a known critical tag": (('128 issue "letsencrypt.org"',), "caa.ok"),
    "our method": (('0 issue "letsencrypt.org; validationmethods=dns-01,http-01"',), "caa.ok"),
    "another method": (('0 issue "letsencrypt.org; validationmethods=dns-01"',), "caa.method"),
    "another method, and any": (
        ('0 issue "letsencrypt.org; validationmethods=dns-01"', LE),
        "caa.ok",
    ),
    "our account": ((f'0 issue "letsencrypt.org; accounturi={ACCOUNT}"',), "caa.ok"),
    "another account": ((f'0 issue "letsencrypt.org; accounturi={ACCOUNT}8"',), "caa.account"),
    "two accounts at once": (
        (f'0 issue "letsencrypt.org; accounturi={ACCOUNT}; accounturi={ACCOUNT}8"',),
        "caa.account",
    ),
    "another account's, and another method's": (
        (
            f'0 issue "letsencrypt.org; accounturi={ACCOUNT}8"',
            '0 issue "letsencrypt.org; validationmethods=dns-01"',
        ),
        "caa.account",
    ),
}


@pytest.mark.parametrize("case", RECORDS)
def test_records_are_read_as_the_ca_reads_them(world: World, case: str) -> None:
    records, code = RECORDS[case]
    for record in records:
        world.zone.add("example.com", "CAA", record)
    assert looked(world, account_uri=ACCOUNT).code == code


@pytest.mark.parametrize("owner", [NAME, "example.com", "com"])
def test_the_nearest_records_upward_count(world: World, owner: str) -> None:
    world.zone.add(owner, "CAA", '0 issue "digicert.com"')
    found = looked(world)
    assert found.code == "caa.forbids"
    assert found.paste == f'{owner}. IN CAA 0 issue "letsencrypt.org"'


def test_records_above_those_that_are_nearer_dont_count(world: World) -> None:
    world.zone.add("mail.example.com", "CAA", LE)
    world.zone.add("example.com", "CAA", '0 issue "digicert.com"')
    found = asyncio.run(caa("click.mail.example.com", world.expected()))
    assert codes(found) == ["caa.ok"]


def test_a_record_on_the_edges_host_is_said_to_govern_every_name_that_leads_there(
    world: World,
) -> None:
    world.point(ONE)
    world.zone.add(EDGE, "CAA", '0 issue "digicert.com"')
    found = looked(world)
    assert found.code == "caa.forbids"
    assert "governs all of them" in found.says
    assert found.paste.startswith(f"{EDGE}. ")


def test_the_parents_of_what_a_cname_leads_to_dont_count(world: World) -> None:
    world.point(ONE)
    world.zone.add("tracking.net", "CAA", '0 issue "digicert.com"')
    assert looked(world).code == "caa.ok"


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED", "NOTIMP"])
@pytest.mark.parametrize("owner", [NAME, "example.com", "com"])
def test_a_failure_anywhere_on_the_way_up_means_that_the_ca_refuses(
    world: World, failure: dns.Failure, owner: str
) -> None:
    world.zone.fail(owner, failure, "CAA")
    found = looked(world)
    assert found.code == "caa.failed"
    assert owner in found.says


def test_without_the_issuers_name_or_the_account_nothing_is_claimed(world: World) -> None:
    world.zone.add(NAME, "CAA", f'0 issue "letsencrypt.org; accounturi={ACCOUNT}"')
    assert looked(world, issuers=()).code == "caa.unjudged"
    assert looked(world, account_uri="").code == "caa.unjudged"


def test_the_method_is_the_one_that_will_be_used(world: World) -> None:
    world.zone.add(NAME, "CAA", '0 issue "letsencrypt.org; validationmethods=tls-alpn-01"')
    assert looked(world).code == "caa.method"
    assert looked(world, challenge="tls-alpn-01").code == "caa.ok"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("ca.example", Permission("ca.example")),
        (" CA.example. ;", Permission("ca.example")),
        ("ca.example; a=1 ;b = 2", Permission("ca.example", (("a", "1"), ("b", "2")))),
        ("ca.example; url=https://x/?a=b", Permission("ca.example", (("url", "https://x/?a=b"),))),
        ("; a=1", Permission("", (("a", "1"),))),
        ("ca.example; nonsense", Permission("")),
        ("ca.example; =1", Permission("")),
    ],
)
def test_a_permission_is_an_issuer_and_parameters(value: str, read: Permission) -> None:
    assert permission(value) == read


@given(st.text())
def test_whatever_stands_in_a_record_is_read(value: str) -> None:
    assert permission(value).issuer == permission(value).issuer.strip().lower().rstrip(".")
