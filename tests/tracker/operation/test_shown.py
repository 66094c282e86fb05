"""Events, and rows of other things, in a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.commands.shown import line, listed, printable

CLICK = {
    "event": "clicked",
    "timestamp": 1_700_000_000.5,
    "recipient": "ann@example.net",
    "url": "https://shop.example/",
    "client-info": {"client-name": "Firefox", "client-os": "Linux", "device-type": "unknown"},
    "geolocation": {"country": "DE", "city": "Unknown"},
    "verdict": {"kind": "machine", "reasons": ["burst: 3 links in 1.0 s"]},
}


def test_a_click_is_one_line_of_what_is_known() -> None:
    told = line(CLICK).plain
    assert told.split("  ", 1)[1] == (
        "clicked       ann@example.net  https://shop.example/  Firefox · Linux  DE"
        "  machine: burst: 3 links in 1.0 s"
    )


@pytest.mark.parametrize("event", [{}, {"client-info": None, "recipient": "", "verdict": {}}])
def test_an_event_that_lacks_everything_is_still_shown(event: dict[str, object]) -> None:
    assert "(unknown recipient)" in line(event).plain


@given(st.text())
def test_nothing_in_an_event_reaches_the_terminals_controls(text: str) -> None:
    shown = line({"event": text, "recipient": text, "url": text}).plain + printable(text)
    assert shown.isprintable()


@pytest.mark.parametrize("reason", ["refused: [/stop] it", "it takes [bold] text", "\x1b[2J gone"])
def test_a_row_is_shown_whole_whatever_a_sink_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listed([{"sink": "archive", "reason": reason}], as_json=False, none="There are none.")
    assert printable(reason) in capsys.readouterr().out
