import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.bus.parts import address
from tracker.bus.address import Access, duration, spoken
from tracker.sinks.url import BadSink, SinkUrl


def test_a_url_names_servers_and_a_stream_and_leaves_everything_else_open() -> None:
    found = address("nats://one,two:4333,[::1]/EVENTS")
    assert found.hosts == ("one:4222", "two:4333", "[::1]:4222")
    assert (found.stream.name, found.stream.prefix) == ("EVENTS", "events")
    assert (found.stream.replicas, found.stream.retention) == (0, "workqueue")
    assert (found.stream.max_bytes, found.stream.max_age, found.stream.asked) == (0, 0, frozenset())
    assert found.access == Access()


def test_parameters_say_what_the_stream_should_be() -> None:
    found = address(
        "nats://one/EVENTS?subject=mail.tracking&replicas=3&retention=limits&max_bytes=200GB"
        "&max_age=7d&duplicates=10m"
    ).stream
    assert (found.prefix, found.replicas, found.retention) == ("mail.tracking", 3, "limits")
    assert (found.max_bytes, found.max_age, found.duplicates) == (200_000_000_000, 604_800, 600)
    assert found.asked == {"replicas", "retention", "max_bytes", "max_age", "duplicates"}


@pytest.mark.parametrize(
    ("url", "environment", "access"),
    [
        ("nats://ann:s%2Fcret@one,two/E", {}, Access(user="ann", password="s/cret")),
        ("nats://s3same@one/E", {}, Access(token="s3same")),
        ("nats://one/E?user=ann&password_file=/p", {}, Access(user="ann", password_file="/p")),
        ("nats://one/E?token_file=/t", {}, Access(token_file="/t")),
        ("nats://one/E?creds=/c", {}, Access(creds="/c")),
        ("nats://one/E?ca=/ca.pem", {}, Access(ca="/ca.pem", tls=True)),
        ("nats://one/E?tls=on", {}, Access(tls=True)),
        ("nats://one/E?ca=/a&cert=/b&key=/c", {}, Access(ca="/a", cert="/b", key="/c", tls=True)),
        (
            "nats://one/E",
            {"NATS_USER": "ann", "NATS_PASSWORD": "x"},
            Access(user="ann", password="x"),
        ),
        ("nats://one/E", {"NATS_TOKEN": "x"}, Access(token="x")),
        ("nats://one/E", {"NATS_CREDS": "/c"}, Access(creds="/c")),
        ("nats://one/E?user=ann", {"NATS_PASSWORD": "x"}, Access(user="ann", password="x")),
        ("nats://bob:y@one/E", {"NATS_USER": "ann", "NATS_TOKEN": "x"}, Access("bob", "y")),
        ("nats://one/E?creds=/c", {"NATS_USER": "ann"}, Access(creds="/c")),
    ],
)
def test_who_one_is_stands_in_the_url_in_a_file_or_in_the_environment(
    url: str, environment: dict[str, str], access: Access
) -> None:
    assert address(url, **environment).access == access


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://one", "the sink 'nats' is written nats://host:4222/EVENTS"),
        ("nats://one/A.B", "the sink 'nats' is written nats://host:4222/EVENTS"),
        ("nats://one/E?replicas=none", "replicas=none of the sink 'nats' should be a number"),
        ("nats://one/E?replicas=7", "should be a number from 1 to 5"),
        ("nats://one/E?retention=interest", "should be workqueue (until stored) or limits"),
        ("nats://one/E?max_bytes=much", "should be a size such as 100MB"),
        ("nats://one/E?max_age=7", "should be a time such as 2m, 12h or 7d"),
        ("nats://one/E?duplicates=0s", "should be a time such as 2m: without one, doubles"),
        ("nats://one/E?subject=a.*", "should be words with dots between them"),
        ("nats://one/E?tls=maybe", "should be on or off"),
        ("nats://one/E?retry=5", "the sink 'nats' has no parameter 'retry'"),
    ],
)
def test_what_a_url_cannot_say_is_refused_with_what_would_be_right(url: str, says: str) -> None:
    with pytest.raises(BadSink, match=r"^[^\n]+$") as refused:
        SinkUrl.parse(url)
    assert says in str(refused.value)


@pytest.mark.parametrize("url", ["nats://ann:s3same@one/E", "nats://s3same@one/E"])
def test_a_secret_is_in_nothing_that_is_shown(url: str) -> None:
    parsed = SinkUrl.parse(url)
    assert "s3same" not in f"{parsed.name} {address(url)!r}"


@given(st.integers(0, 999_999), st.sampled_from("smhd"))
def test_a_time_reads_as_it_is_written(number: int, unit: str) -> None:
    seconds = duration(f"{number}{unit}")
    assert duration(spoken(seconds)) == seconds
