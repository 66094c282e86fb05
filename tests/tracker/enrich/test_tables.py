"""The rule tables, and how a newer one takes the place of ours."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.enrich.world import NETWORKS
from tracker.enrich import Knowledge, RulesError
from tracker.enrich.networks import Network, parse_address
from tracker.enrich.tables import load_agents, load_networks

AGENTS = """
source = "here"
updated = 2026-01-01
agents = [{ match = "^Postmoose/", name = "Postmoose", role = "mail", os = "Linux" }]
"""

BAD = [
    ("agents.toml", "agents = [", "Invalid"),
    ("agents.toml", AGENTS.replace('"mail"', '"postman"'), "Invalid enum value 'postman'"),
    ("agents.toml", AGENTS.replace("os =", "system ="), "unknown field `system`"),
    ("agents.toml", AGENTS.replace("^Post", "(Post"), "unterminated subpattern"),
    ("networks.toml", "updated = 2026-01-01", "missing required field `networks`"),
    (
        "networks.toml",
        'updated = 2026-01-01\nnetworks = [{ name = "n", means = "certain", source = "s", '
        'blocks = ["192.0.2.1/24"] }]',
        "has host bits set",
    ),
]


def test_a_newer_table_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "agents.toml").write_text(AGENTS)

    knowledge = Knowledge.load(pseudonym_key=b"k", rules=tmp_path)

    assert knowledge.clients.of("Postmoose/3.1").name == "Postmoose"
    assert knowledge.networks.find(ip_address("40.92.1.1")) is not None, "networks are still ours"


@pytest.mark.parametrize(("name", "text", "wrong"), BAD)
def test_a_bad_table_is_refused_with_its_name_and_what_is_wrong(
    tmp_path: Path, name: str, text: str, wrong: str
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(RulesError, match=name) as refused:
        Knowledge.load(pseudonym_key=b"k", rules=tmp_path)

    assert wrong in str(refused.value)


def test_every_table_says_where_it_is_from_and_when() -> None:
    networks = load_networks()

    assert load_agents().source
    assert load_agents().updated.year >= 2026
    assert networks.updated.year >= 2026
    assert all(network.source for network in networks.networks)


def test_no_exception_from_the_crawler_list_has_outlived_it() -> None:
    patterns = {crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA}

    assert set(load_agents().crawlers_except) <= patterns


ADDRESSES = [
    ("40.92.3.4", "microsoft-gateway"),
    ("2a01:111:f400::1", "microsoft-gateway"),
    ("2a01:111:f401::1", "microsoft"),
    ("::ffff:40.92.3.4", "microsoft-gateway"),
    ("52.238.78.88", "microsoft-gateway"),
    ("52.238.78.89", "microsoft"),
    ("172.226.1.2", "apple-egress"),
    ("17.58.1.1", None),
    ("203.0.113.1", None),
    ("not an address", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "name"), ADDRESSES)
def test_an_address_belongs_to_the_longest_block_that_holds_it(text: str, name: str | None) -> None:
    network = NETWORKS.find(parse_address(text))

    assert (network.name if network else None) == name


BLOCKS = [(rule, ip_network(block)) for rule in load_networks().networks for block in rule.blocks]
near_blocks = st.sampled_from(BLOCKS).flatmap(
    lambda row: st.integers(int(row[1].network_address) - 2, int(row[1].broadcast_address) + 2).map(
        IPv4Address if row[1].version == 4 else IPv6Address
    )
)


@given(near_blocks)
def test_looking_up_is_as_good_as_trying_every_block(address: IPv4Address | IPv6Address) -> None:
    holding = [row for row in BLOCKS if row[1].version == address.version and address in row[1]]
    longest = max(holding, key=lambda row: row[1].prefixlen, default=None)
    expected = longest and Network(longest[0].name, longest[0].means, str(longest[1]))

    assert NETWORKS.find(address) == expected
