"""The whole check: what an operator is told of a name, and in which order."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.doctor import CODES, Finding, check, worst
from certs.doctor.finding import finding, shown
from tests.certs.doctor.world import (
    NAME,
    ONE,
    TWO,
    World,
    answer,
    codes,
    edge,
    says,
)


def looked(world: World, **changes: object) -> list[Finding]:
    return asyncio.run(check(NAME, world.expected(**changes)))


def test_a_name_that_works_is_fine_in_every_respect(world: World) -> None:
    world.working(ONE, TWO)
    found = looked(world, skew=0.4)
    assert worst(found) == "ok"
    assert codes(found) == [
        "cname.ok",
        "caa.ok",
        "http.ok",
        "http.ok",
        "https.ok",
        "https.ok",
        "clock.ok",
    ]


def test_a_name_that_doesnt_exist_is_told_once(world: World) -> None:
    world.working(ONE)
    world.zone.remove(NAME)
    assert codes(looked(world)) == ["cname.missing", "caa.ok"]


def test_the_root_of_the_trouble_comes_first(world: World) -> None:
    world.working(ONE)
    world.zone.set(NAME, "CNAME")
    world.zone.set(NAME, "A", TWO)
    world.http(says(answer(404)), TWO)
    assert codes(looked(world)) == ["cname.missing", "caa.ok", "http.other-server", "https.refused"]


def test_behind_a_proxy_only_what_readers_see_counts(world: World) -> None:
    world.working(ONE)
    world.zone.set(NAME, "CNAME")
    world.zone.set(NAME, "A", TWO)
    world.zone.set(NAME, "CAA", '0 issue "digicert.com"')
    world.http(edge(), TWO)
    world.https(edge(), TWO)
    assert codes(looked(world, external=True)) == ["cdn.expected", "http.ok", "https.ok"]


def test_where_https_isnt_wanted_port_443_is_left_alone(world: World) -> None:
    world.point(ONE)
    world.http(edge())
    assert codes(looked(world, https=False)) == ["cname.ok", "caa.ok", "http.ok"]


@pytest.mark.parametrize(
    ("skew", "code", "words"),
    [
        (3.0, "clock.ok", "3 s"),
        (-259_200.0, "clock.skewed", "259200 s behind"),
        (61.0, "clock.skewed", "61 s ahead of"),
    ],
)
def test_a_wrong_clock_is_told(world: World, skew: float, code: str, words: str) -> None:
    world.working(ONE)
    last = looked(world, skew=skew)[-1]
    assert last.code == code
    assert words in last.says


HOSTILE = "\x1b[2J\x9b31m\u202e\r\nforged"


def test_nothing_that_a_stranger_says_acts_upon_a_terminal(world: World) -> None:
    world.zone.set(NAME, "CNAME", "a\\027[2Jb.example.org.")
    world.zone.set("example.com", "CAA", '128 x "y"', '0 issue "\\027[2J\\155"')
    found = looked(world, edge_host="edge.tracking.net", addresses=(ONE,))
    world.working(ONE)
    world.http_port = world.https_port
    found += looked(world)
    assert {"cname.dangling", "caa.critical"} <= set(codes(found))
    assert all((each.says + each.fix + each.paste).isprintable() for each in found)


@given(st.text(), st.integers(2, 100))
def test_what_is_shown_is_printable_and_short(text: str, limit: int) -> None:
    assert shown(text, limit).isprintable() or not text
    assert len(shown(text, limit)) <= limit
    assert not set(shown(HOSTILE)) & set("\x1b\x9b\u202e\r\n")


def test_a_finding_in_json_has_all_of_its_fields() -> None:
    written = msgspec.json.decode(msgspec.json.encode(finding("cname.ok", "It leads here.")))
    assert written == {
        "code": "cname.ok",
        "severity": "ok",
        "says": "It leads here.",
        "fix": "",
        "paste": "",
    }


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], "ok"),
        (["cname.ok"], "ok"),
        (["cname.ok", "cname.long"], "warning"),
        (["cname.missing", "cname.long"], "error"),
    ],
)
def test_the_worst_finding_decides(seen: list[str], expected: str) -> None:
    assert worst(finding(code, "") for code in seen) == expected


def test_every_code_has_an_area_and_a_severity() -> None:
    assert all(code.count(".") == 1 for code in CODES)
    assert set(CODES.values()) == {"ok", "warning", "error"}
