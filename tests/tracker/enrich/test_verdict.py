"""Who was there: people, the proxies that read for them, and machines."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.keyring import Keyring
from rewriter.tokens import Link, Tokens
from tests.tracker.enrich.world import (
    APPLE_MAIL,
    CHROME,
    GMAIL_PROXY,
    IPHONE,
    OUTLOOK,
    SAFARI,
    a_hit,
    judged,
)
from tracker.enrich.company import HIDDEN, Click, companies, company_of
from tracker.hit import Hit

TOKENS = Tokens(Keyring.new().for_domain("t.sender.example"))
MPP = "104.28.33.7"  # Apple's egress
MICROSOFT = "40.94.25.1"  # AS8075, no gateway
GATEWAY = "104.47.55.110"  # Exchange Online Protection
BARRACUDA = "209.222.82.10"
PROOFPOINT = "148.163.148.5"
TREND_MICRO = "150.70.10.1"

FINGERPRINTS = [
    # People, opening.
    ("a reader in Apple Mail", a_hit("o", agent=APPLE_MAIL), "person", "no-sign"),
    ("a reader in Outlook", a_hit("o", agent=OUTLOOK), "person", "no-sign"),
    ("a reader who opens at once", a_hit("o", agent=IPHONE, after=1), "person", "no-sign"),
    ("an app that fetches with okhttp", a_hit("o", agent="okhttp/4.12.0"), "person", "no-sign"),
    ("an app that fetches with Volley", a_hit("o", agent="volley/0"), "person", "no-sign"),
    ("an app nobody knows", a_hit("o", agent="Postmoose/3.1"), "person", "no-sign"),
    # People, clicking.
    ("a reader at a desk", a_hit("c"), "person", "no-sign"),
    (
        "a reader with an old phone",
        a_hit("c", agent="DoCoMo/2.0 MST_v_SH2101V"),
        "person",
        "no-sign",
    ),
    ("a reader, by a sender's clock a minute ahead", a_hit("c", after=-59), "person", "no-sign"),
    ("a reader after 41 seconds", a_hit("c", after=41), "person", "no-sign"),
    ("a reader with a text browser", a_hit("c", agent="w3m/0.5.3"), "person", "no-sign"),
    (
        "a reader whose app looks where a link leads",
        a_hit("c", agent="Dalvik/2.1.0 (Linux; U; Android 13; SM-A536B Build/TP1A)"),
        "person",
        "no-sign",
    ),
    (
        "a reader inside of Facebook's app",
        a_hit("c", agent=IPHONE.partition(" Version")[0] + " Mobile/15E148 [FBAN/FBIOS;FBAV/420]"),
        "person",
        "no-sign",
    ),
    (
        "a reader whose phone's maker calls it a bot, in another browser",
        a_hit("c", agent="Mozilla/5.0 (Android 9; M bot 60; Mobile; rv:120.0) Firefox/120.0"),
        "person",
        "no-sign",
    ),
    (
        "a reader with a release called Bottle",
        a_hit("c", agent=CHROME.replace("Win64", "openSUSE 13.1 (Bottle)")),
        "person",
        "no-sign",
    ),
    (
        "a reader at a television",
        a_hit("c", agent="Roku/DVP-12.5 (12.5.0.4178)"),
        "person",
        "no-sign",
    ),
    (
        "a reader on Private Relay",
        a_hit("c", agent=SAFARI, address=MPP),
        "person",
        "no-sign",
    ),
    (
        "a reader browsing through Proofpoint, an hour later",
        a_hit("c", address=PROOFPOINT),
        "person",
        "no-sign",
    ),
    ("a reader in Microsoft's cloud", a_hit("c", address=MICROSOFT), "person", "no-sign"),
    (
        "a provider's one-click, without an agent",
        a_hit("u", agent="", method="POST", after=1),
        "person",
        "posted",
    ),
    # Proxies, behind which somebody reads; Apple's says nothing of that.
    ("Gmail", a_hit("o", agent=GMAIL_PROXY), "proxy", "image-proxy"),
    ("Yahoo", a_hit("o", agent="YahooMailProxy; https://help.yahoo.com/"), "proxy", "image-proxy"),
    ("Seznam", a_hit("o", agent="Mozilla/5.0 SeznamEmailProxy/2.0.174"), "proxy", "image-proxy"),
    (
        "Mail Privacy Protection",
        a_hit("o", agent="Mozilla/5.0", address=MPP),
        "proxy apple",
        "apple-mail-privacy",
    ),
    (
        "Apple Mail that hides its address",
        a_hit("o", agent=APPLE_MAIL, address=MPP),
        "proxy",
        "apple-relay",
    ),
    ("Outlook.com", a_hit("o", address=MICROSOFT), "proxy", "image-proxy"),
    # Machines.
    ("no agent", a_hit("o", agent=""), "machine generic", "no-user-agent"),
    ("blank agent", a_hit("c", agent="  "), "machine generic", "no-user-agent"),
    (
        "a browser's prefetch",
        a_hit("c", headers={"sec-purpose": "prefetch;prerender"}),
        "machine generic",
        "prefetch-header",
    ),
    (
        "Safari's preview",
        a_hit("c", headers={"x-purpose": "preview"}),
        "machine generic",
        "prefetch-header",
    ),
    (
        "Firefox's prefetch",
        a_hit("c", headers={"x-moz": "prefetch"}),
        "machine generic",
        "prefetch-header",
    ),
    ("Office", a_hit("c", agent="Microsoft Office Protocol Discovery"), "machine generic", "probe"),
    (
        "Gmail's prefetch",
        a_hit("o", agent=CHROME.replace("141.0.0.0", "42.0.2311.135") + " Edge/12.246 Mozilla/5.0"),
        "machine gmail",
        "prefetch",
    ),
    ("HEAD", a_hit("c", method="HEAD"), "machine generic", "method"),
    (
        "Mozilla/5.0 from elsewhere",
        a_hit("o", agent="Mozilla/5.0"),
        "machine generic",
        "bare-user-agent",
    ),
    (
        "Mozilla/5.0 from Apple's own network, which is no egress",
        a_hit("o", agent="Mozilla/5.0", address="17.58.1.1"),
        "machine generic",
        "bare-user-agent",
    ),
    (
        "a click on Mozilla/5.0 from Apple's egress",
        a_hit("c", agent="Mozilla/5.0", address=MPP),
        "machine generic",
        "bare-user-agent",
    ),
    ("Barracuda", a_hit("c", agent="Barracuda Sentinel (EE)"), "machine generic", "robot"),
    ("Go's library", a_hit("o", agent="Go-http-client/2.0"), "machine generic", "library"),
    ("a monitor", a_hit("c", agent=f"{CHROME} ExampleMonitor/2"), "machine generic", "robot"),
    ("a library", a_hit("o", agent="python-requests/2.32.3"), "machine generic", "library"),
    ("nobody's agent on a link", a_hit("c", agent="Postmoose/3"), "machine generic", "embedded"),
    ("okhttp on a link", a_hit("c", agent="okhttp/4.12.0"), "machine generic", "embedded"),
    ("before it was sent", a_hit("c", after=-61), "machine generic", "before-sending"),
    ("Microsoft's gateway", a_hit("o", address=GATEWAY), "machine generic", "network"),
    ("Barracuda's network", a_hit("c", address=BARRACUDA), "machine generic", "network"),
    (
        "Proofpoint at delivery",
        a_hit("c", address=PROOFPOINT, after=43),
        "machine generic",
        "network",
    ),
    ("Trend Micro", a_hit("c", address=TREND_MICRO, after=599), "machine generic", "network"),
]


@pytest.mark.parametrize(
    ("hit", "verdict", "reason"),
    [pytest.param(*row, id=name) for name, *row in FINGERPRINTS],
)
def test_who_was_there(hit: Hit, verdict: str, reason: str) -> None:
    judgement = judged(hit)

    assert f"{judgement.kind} {judgement.bot}".rstrip() == verdict
    assert [text.partition(":")[0] for text in judgement.reasons] == [reason]
    assert all(text.partition(": ")[2] for text in judgement.reasons), "evidence is missing"


def test_a_network_is_known_by_its_as_number_too() -> None:
    judgement = judged(a_hit("c", after=30), asn=30031)

    assert judgement.reasons == ("network: mimecast AS30031, 30 s after sending",)


def test_whoever_follows_the_hidden_link_is_a_machine() -> None:
    link = Link("https://t.sender.example:8443/", category=HIDDEN)

    assert judged(a_hit("c"), link=link).reasons == ("hidden-link: no person sees it",)


def test_a_sender_may_call_a_link_hidden_without_making_machines_of_readers() -> None:
    link = Link("https://shop.example/gem", category=HIDDEN)

    assert judged(a_hit("c"), link=link).kind == "person"


def clicks(*seconds: float) -> list[Hit]:
    return [a_hit("c", after=60 + at, link=f"link{n}") for n, at in enumerate(seconds)]


def test_three_links_within_two_and_a_half_seconds_are_a_machines_the_first_one_included() -> None:
    first, second, third = hits = clicks(0, 1.2, 2.5)

    assert judged(first).kind == "person"
    assert judged(second, first).kind == "person"
    assert judged(third, first, second).reasons == ("burst: 3 links or more within 2.5 s",)
    assert [judged(hit, *hits).kind for hit in hits] == ["machine"] * 3


def hidden_click(after: float) -> Hit:
    link = Link("https://t.sender.example/", category=HIDDEN)
    return a_hit("c", after=60 + after, link=TOKENS.seal_link(link).decode())


def test_whoever_clicks_beside_the_hidden_link_is_a_machine() -> None:
    near, hidden, far = *clicks(0), hidden_click(2.5), a_hit("c", after=66)

    assert judged(near, hidden).reasons == (
        "beside-hidden-link: within 2.5 s of the link that no person sees",
    )
    assert judged(far, hidden, near).kind == "person"
    assert judged(a_hit("o", after=60), hidden).kind == "person", "pictures are a reader's"


PEOPLE_AT_WORK = [
    ("two links at once", clicks(0, 0.4)),
    ("three links, slower", clicks(0, 1.3, 2.6)),
    ("many links, one after the other", clicks(0, 1.3, 2.6, 3.9, 5.2)),
    ("one link, impatiently", [a_hit("c", after=60 + n / 5) for n in range(9)]),
    (
        "two links and the pictures of the mail",
        [*clicks(0, 0.4), *(a_hit("o", after=60 + n / 5, link=f"p{n}") for n in range(3))],
    ),
]


@pytest.mark.parametrize("hits", [pytest.param(hits, id=name) for name, hits in PEOPLE_AT_WORK])
def test_a_person_in_a_hurry_is_no_burst(hits: list[Hit]) -> None:
    assert {judged(hit, *hits).kind for hit in hits} == {"person"}


def test_an_open_in_the_middle_of_a_burst_is_still_judged_by_itself() -> None:
    burst = clicks(0, 0.1, 0.2)

    assert judged(a_hit("o", after=60.1), *burst).kind == "person"


a_while = st.integers(min_value=0, max_value=80).map(lambda tenths: tenths / 10)
some_clicks = st.lists(
    st.builds(
        lambda at, link: a_hit("c", after=60 + at, link=f"l{link}"), a_while, st.integers(0, 5)
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda hit: (hit.at, hit.token),
)


@given(some_clicks, st.randoms(use_true_random=False))
def test_the_verdict_on_a_click_is_the_same_in_whatever_order_the_others_came(
    hits: list[Hit], order: Random
) -> None:
    shuffled = list(hits)
    order.shuffle(shuffled)

    for hit in hits:
        others = [other for other in hits if other is not hit]
        assert judged(hit, *shuffled) == judged(hit, *others)


@given(some_clicks)
def test_a_further_click_takes_nothing_back(hits: list[Hit]) -> None:
    seen = [Click.of(hit) for hit in hits]
    known = [companies(seen[:number]) for number in range(len(seen) + 1)]

    assert all(
        was <= now
        for before, after in itertools.pairwise(known)
        for was, now in zip(before, after, strict=False)
    )


@given(some_clicks)
def test_looking_at_all_clicks_at_once_is_as_good_as_at_each(hits: list[Hit]) -> None:
    assert companies([Click.of(hit) for hit in hits]) == [company_of(hit, hits) for hit in hits]


@given(some_clicks)
def test_a_burst_is_three_links_in_some_window_that_holds_the_click(hits: list[Hit]) -> None:
    def in_a_burst(hit: Hit) -> bool:
        windows = (start.at for start in hits if start.at <= hit.at <= start.at + 2_500_000)
        return any(
            len({h.token for h in hits if start <= h.at <= start + 2_500_000}) >= 3
            for start in windows
        )

    assert [judged(hit, *hits).kind == "machine" for hit in hits] == [in_a_burst(h) for h in hits]
