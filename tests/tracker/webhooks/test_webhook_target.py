"""A URL is read strictly: what two readers could read differently is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.webhooks.target import BadTarget, Target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://app.example.com/hook", Target("https", "app.example.com", 443, "/hook")),
        ("HTTP://App.Example.COM", Target("http", "app.example.com", 80, "/")),
        ("https://app.example.com:8443?a=b", Target("https", "app.example.com", 8443, "/?a=b")),
        ("http://app:8000/%7Ea", Target("http", "app", 8000, "/%7Ea")),
        ("https://app.example.com./", Target("https", "app.example.com", 443, "/")),
        ("http://192.0.2.1/", Target("http", "192.0.2.1", 80, "/")),
        ("http://[2001:DB8::1]:8080/x", Target("http", "2001:db8::1", 8080, "/x")),
    ],
)
def test_a_plain_url_is_read(url: str, target: Target) -> None:
    assert Target.parse(url) == target


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "should be a URL such as"),
        ("app.example.com", "should be a URL such as"),
        ("ftp://app.example.com/", "should be a URL such as"),
        ("file:///etc/passwd", "should be a URL such as"),
        ("gopher://app.example.com/", "should be a URL such as"),
        ("https://app.example.com/#part", "should be a URL such as"),
        ("https://app.example.com/a b", "should be a URL such as"),
        ("https://app.example.com/\r\nHost: other", "should be a URL such as"),
        ("https://app.example.com\\@other/", "should be a URL such as"),
        ("https://äpp.example.com/", "should be a URL such as"),
        ("https://ann:secret@app.example.com/", "user name or password"),
        ("https://app.example.com@127.0.0.1/", "user name or password"),
        ("https:///hook", "can't be read"),
        ("https://:8080/", "can't be read"),
        ("https://app.example.com:80:90/", "can't be read"),
        ("https://app.example.com:http/", "can't be read"),
        ("http://127.1/", "is no host"),
        ("http://2130706433/", "is no host"),
        ("http://0x7f000001/", "is no host"),
        ("http://0177.0.0.1/", "is no host"),
        ("http://[127.0.0.1]/", "is no host"),
        ("http://[::1%25eth0]/", "can't be read"),
        ("http://a..b/", "is no host"),
        ("https://app.example.com:22/", "port 22 isn't one"),
        ("https://app.example.com:0/", "port 0 isn't one"),
        ("https://app.example.com:65536/", "port 65536 isn't one"),
        ("https://app.example.com/" + "x" * 2_000, "at most 2000 characters"),
    ],
)
def test_any_other_is_refused_with_what_would_be_right(url: str, sentence: str) -> None:
    with pytest.raises(BadTarget, match=sentence):
        Target.parse(url)


@given(st.text() | st.from_regex(r"https?://[!-~]{1,40}", fullmatch=True))
def test_whatever_is_typed_is_a_target_or_refused(url: str) -> None:
    try:
        target = Target.parse(url)
    except BadTarget:
        return
    assert Target.parse(f"{target.origin}{target.path}") == target
