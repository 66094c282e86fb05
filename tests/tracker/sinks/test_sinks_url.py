"""Sinks as they are written in the settings, and what is said to someone who got one wrong."""

from pathlib import Path

import pytest

from tracker import settings, size, source
from tracker.mistake import Mistake
from tracker.sinks.url import BadSink, SinkUrl, listed


def loaded(text: str) -> settings.Settings:
    """Load the settings that `tracker.toml` holds."""
    Path("tracker.toml").write_text(text)
    return source.load(source.find(None))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "name", "scheme", "address"),
    [
        ("store", "store", "store", ""),
        ("stdout?name=pipe", "pipe", "stdout", ""),
        ("file:events.jsonl", "file:events.jsonl", "file", "events.jsonl"),
        ("file:/var/a@b.jsonl?events=clicked", "file:/var/a@b.jsonl", "file", "/var/a@b.jsonl"),
        ("file:///var/a.jsonl", "file:///var/a.jsonl", "file", "///var/a.jsonl"),
        ("FILE:a,b.jsonl", "file:a,b.jsonl", "file", "a,b.jsonl"),
    ],
)
def test_a_sink_has_a_name_and_an_address(text: str, name: str, scheme: str, address: str) -> None:
    url = SinkUrl.parse(text)
    assert (url.name, url.scheme, url.address, str(url)) == (name, scheme, address, text)


def test_a_sink_says_which_events_of_which_domains_it_wants() -> None:
    url = SinkUrl.parse("store?events=opened, clicked&domains=News.Example,b%C3%BCcher.example")
    assert url.kinds == {"opened", "clicked"}
    assert url.domains == {"news.example", "xn--bcher-kva.example"}
    assert SinkUrl.parse("store").kinds == frozenset()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kafka:x", "there is no sink 'kafka:x': it may be store, stdout, file:/path"),
        ("kafka:x", "file:/path/of/events.jsonl, https://app.example.com/events or nats://"),
        ("amqp://ann:secret@mq/x", "there is no sink 'amqp://mq/x'"),
        ("", "there is no sink ''"),
        ("file:", "the sink 'file' is written file:/path"),
        ("file", "the sink 'file' is written file:/path"),
        ("file://host/path", "the sink 'file' is written file:/path"),
        ("stdout:x", "the sink 'stdout' is written stdout"),
        ("store?evnts=opened", "has no parameter 'evnts': it takes name, events, domains"),
        ("store?name=a&name=b", "the parameter 'name' stands there twice"),
        ("store?events=", "the parameter 'events' has no value"),
        ("store?events=opened,", "there is no event ''"),
        ("store?events=click", "there is no event 'click': events may be opened, clicked"),
        ("store?domains=a b", "'a b' is not a host name"),
        ("store?name=two words", "'two words' can't be a sink's name"),
        ("store?name=a%0Ab", "can't be a sink's name"),
    ],
)
def test_a_sink_that_cannot_be_is_refused_with_what_would_be_right(
    text: str, sentence: str
) -> None:
    with pytest.raises(BadSink) as caught:
        SinkUrl.parse(text)
    assert sentence in str(caught.value)


def test_sinks_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(Mistake, match="two sinks are called stdout: give one of them another name"):
        loaded("sinks = ['stdout', 'stdout?events=opened']")
    assert len(loaded("sinks = ['stdout', 'stdout?name=other']").sinks) == 2


def test_a_list_without_a_sink_is_refused() -> None:
    with pytest.raises(Mistake, match="should name at least one sink, such as store"):
        loaded("sinks = []")


def test_a_password_is_shown_nowhere() -> None:
    text = "nats://ann:secret@one:4222,ann:secret@two:4222/EVENTS?events=opened"
    found = loaded(f"sinks = ['{text}']")
    assert str(found.sinks[0]) == text
    shown = "nats://one:4222,two:4222/EVENTS"
    assert (found.sinks[0].name, found.sinks[0].place) == (shown, shown)
    assert settings.value(found, "sinks") == f'["{shown}?events=opened"]'


@pytest.mark.parametrize(
    ("text", "sinks"),
    [
        ("store", ["store"]),
        ("store,stdout", ["store", "stdout"]),
        ("store?events=opened,clicked, stdout", ["store?events=opened,clicked", "stdout"]),
        ("file:/a,b.jsonl?keep=3,store", ["file:/a,b.jsonl?keep=3", "store"]),
    ],
)
def test_the_environment_holds_several_sinks_with_commas_of_their_own(
    text: str, sinks: list[str]
) -> None:
    assert listed(text) == sinks


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("500", 500), ("100MB", 10**8), ("1.5 GB", 1_500_000_000), ("64mib", 64 << 20)],
)
def test_a_size_is_read_as_people_write_it(text: str, number: int) -> None:
    assert size.size(text) == number
    assert size.size(size.written(number)) == number


@pytest.mark.parametrize("text", ["", "many", "-1", "10 apples", "1e9", "10GBs", "\u0661MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="should be a size such as 100MB"):
        size.size(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (9_400, "9.4 kB"),
        (5e9, "5 GB"),
        (12e10, "120 GB"),
    ],
)
def test_a_size_is_shown_so_that_it_can_be_compared(number: float, text: str) -> None:
    assert size.shown(number) == text
