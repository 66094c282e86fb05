import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.sinks.contract import event
from tracker.bus.message import message, word
from tracker.event import Domain, encode


def test_a_subject_tells_kind_and_sending_domain() -> None:
    one = msgspec.structs.replace(event(1), domain=Domain("News.example.com"))
    assert message(one, "tracking").subject == "tracking.opened.News_example_com"


def test_each_revision_of_an_event_is_a_message_of_its_own() -> None:
    found = [message(event(7, revision), "x") for revision in (0, 1, 2)]
    assert [one.id for one in found] == [f"{7:022d}", f"{7:022d}/1", f"{7:022d}/2"]
    assert found[1].body == encode(event(7, 1))


@given(st.text())
def test_whatever_a_domain_is_it_stays_one_word_of_a_subject(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", word(text))
