"""Every change to the register is checked, noted with who made it, and told by its revision."""

import asyncio

import msgspec
import pytest

from tracker.domains import BadSetting, OpenTracking, SendingDomain, Theme, TrackingDomain
from tracker.store.audit import Audit
from tracker.store.database import Store
from tracker.store.domains import AlreadyRegistered, Domains, InUse, NotRegistered

pytestmark = pytest.mark.anyio

CLICK = TrackingDomain("click.example.com", "example.com")
OTHER = TrackingDomain("go.example.com", "example.com")


async def test_the_first_tracking_domain_of_a_sender_takes_its_links_and_a_second_does_not(
    domains: Domains,
) -> None:
    await domains.add(OTHER, who="ann")
    await domains.add(CLICK, who="ann")
    assert await domains.tracking() == [CLICK, OTHER]
    assert (await domains.sending("example.com")).tracking_domain == "go.example.com"
    snapshot = await domains.snapshot()
    assert list(snapshot.tracking) == ["click.example.com", "go.example.com"]
    assert list(snapshot.sending) == ["example.com"]


async def test_a_name_is_registered_once(domains: Domains) -> None:
    await domains.add(CLICK, who="ann")
    with pytest.raises(AlreadyRegistered, match=r"click\.example\.com is registered already"):
        await domains.add(CLICK, who="bob")


async def test_fields_are_changed_one_by_one(domains: Domains) -> None:
    await domains.add(CLICK, who="ann")
    await domains.change(CLICK.name, who="ann", https_proven_at=7)
    changed = await domains.change(CLICK.name, who="ann", theme=Theme(accent="#000000"))
    assert changed == msgspec.structs.replace(
        CLICK, https_proven_at=7, theme=Theme(accent="#000000")
    )
    assert await domains.get(CLICK.name) == changed


async def test_a_change_that_is_refused_changes_nothing(domains: Domains) -> None:
    await domains.add(CLICK, who="ann")
    revision = await domains.revision()
    with pytest.raises(BadSetting, match="not a list"):
        await domains.change(CLICK.name, who="ann", asset_links="{}")
    with pytest.raises(BadSetting, match="isn't registered as a tracking domain"):
        await domains.change_sending("example.com", who="ann", tracking_domain="no.example")
    with pytest.raises(NotRegistered, match=r"no\.example isn't registered"):
        await domains.change("no.example", who="ann", suspended=True)
    assert await domains.revision() == revision
    assert await domains.get(CLICK.name) == CLICK


async def test_a_sending_domain_has_defaults_until_something_is_set(domains: Domains) -> None:
    assert await domains.sending("example.org") == SendingDomain("example.org")
    off = await domains.change_sending("example.org", who="ann", open=OpenTracking(active=False))
    assert await domains.sending("example.org") == off
    assert off.click.active


async def test_a_domain_that_links_of_new_mail_lead_to_is_not_removed(domains: Domains) -> None:
    await domains.add(CLICK, who="ann")
    with pytest.raises(InUse, match=r"links of example\.com lead to click\.example\.com"):
        await domains.remove(CLICK.name, who="ann")
    await domains.change_sending("example.com", who="ann", tracking_domain="")
    await domains.remove(CLICK.name, who="ann")
    assert await domains.tracking() == []
    assert (await domains.snapshot()).tracking == {}
    with pytest.raises(NotRegistered):
        await domains.remove(CLICK.name, who="ann")


async def test_a_removed_domain_is_remembered_by_name_until_it_is_registered_again(
    domains: Domains,
) -> None:
    themed = msgspec.structs.replace(CLICK, sending_domain="", theme=Theme(accent="#000000"))
    await domains.add(themed, who="ann")
    await domains.remove(CLICK.name, who="ann")
    assert await domains.get(CLICK.name) is None
    assert (await domains.snapshot()).removed == {CLICK.name}
    with pytest.raises(BadSetting, match="isn't registered"):
        await domains.change_sending("example.com", who="ann", tracking_domain=CLICK.name)
    await domains.add(CLICK, who="ann")
    assert await domains.get(CLICK.name) == CLICK
    assert (await domains.snapshot()).removed == frozenset()


async def test_each_change_is_in_the_audit_log_and_what_changes_nothing_is_not(
    domains: Domains, store: Store
) -> None:
    await domains.add(CLICK, who="account ann")
    before = await domains.revision()
    await domains.change(CLICK.name, who="key 7", web_scheme="auto")
    assert await domains.revision() == before
    await domains.change(CLICK.name, who="key 7", web_scheme="https")
    assert await domains.revision() == before + 1
    entries = await Audit(store).newest(10)
    assert [(one.who, one.action, one.subject) for one in entries] == [
        ("key 7", "domain.set", "click.example.com"),
        ("account ann", "tracking.set", "example.com"),
        ("account ann", "domain.add", "click.example.com"),
    ]
    assert msgspec.json.decode(entries[0].after)["web_scheme"] == "https"


async def test_of_changes_at_the_same_time_none_is_lost(domains: Domains) -> None:
    await domains.add(CLICK, who="ann")
    await asyncio.gather(
        domains.change(CLICK.name, who="ann", suspended=True),
        domains.change(CLICK.name, who="bob", https_proven_at=9),
        domains.change(CLICK.name, who="eve", web_scheme="https"),
    )
    assert await domains.get(CLICK.name) == TrackingDomain(
        "click.example.com", "example.com", "https", https_proven_at=9, suspended=True
    )
