"""Which sinks may lose their turn, by what the settings say."""

import pytest

from tracker.office.forwarding import spared
from tracker.sinks.url import SinkUrl


@pytest.mark.parametrize(
    ("sinks", "never_skipped"),
    [
        (["store", "stdout", "file:a.jsonl"], ["store"]),
        (["stdout", "store?name=events"], ["events"]),
        (["stdout", "file:a.jsonl"], ["stdout", "file:a.jsonl"]),
        (["store?events=clicked", "stdout"], ["store", "stdout"]),
    ],
)
def test_only_a_store_that_has_everything_lets_others_lose_their_turn(
    sinks: list[str], never_skipped: list[str]
) -> None:
    assert spared([SinkUrl.parse(text) for text in sinks]) == never_skipped
