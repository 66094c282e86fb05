"""A template: compiled once, rendered for each recipient."""

import pytest
from hypothesis import given

from rewriter.links import Policy, Reference
from rewriter.template import Template
from rewriter.tokens import CLICK, OPEN, Context, FrameTooLarge
from tests.rewriter.html.generated import pages
from tests.rewriter.html.sender import ANN, BEN, KEYRING, destinations, links, rewriter

PERSONAL = (
    b'<a href="https://example.com/?id={{ id }}&amp;n=%recipient.name%&amp;x=<%= x %>#a">x</a>'
)


@given(pages())
def test_a_rendered_template_is_the_page_rewritten_for_that_recipient(page: str) -> None:
    sender = rewriter(opens=True)
    template = sender.template(page)
    for recipient in (ANN, BEN):
        assert template.render(recipient).decode() == sender.html(page, recipient).data


def test_every_token_of_a_rendered_page_verifies_and_names_its_recipient() -> None:
    sender = rewriter(opens=True)
    tokens = sender.policy.tokens
    page = sender.template("<a href=https://example.com/>a</a>").render(BEN)
    for kind in (CLICK, OPEN):
        token = (
            page.split(sender.policy.url(kind))[1].partition(b" ")[0].strip(b'">').split(b">")[0]
        )
        assert tokens.verify(kind, token)
        assert tokens.open_context(token.split(b".")[1]) == BEN


def test_a_personalised_link_takes_each_recipients_values_and_keeps_its_name() -> None:
    template = rewriter().template(PERSONAL)
    ann = template.render(ANN, {"id": "7/8", "name": "Ann Ö", "x": "y"})
    ben = template.render(BEN, {"id": "9"})
    assert destinations(ann) == ["https://example.com/?id=7%2F8&n=Ann%20%C3%96&x=y#a"]
    assert destinations(ben) == [
        "https://example.com/?id=9&n=%recipient.name%&x=%3C%=%20x%20%%3E#a"
    ]
    assert len({link.name for link in (*links(ann), *links(ben))}) == 1


def test_a_personalised_link_without_values_keeps_its_placeholders() -> None:
    [destination] = destinations(rewriter().template(PERSONAL).render(ANN))
    assert "id={{%20id%20}}&n=%recipient.name%" in destination


def test_a_value_cannot_lead_a_link_elsewhere() -> None:
    template = rewriter().template(b"<a href='https://example.com/?a={{a}}'>x</a>")
    [destination] = destinations(template.render(ANN, {"a": "&b=c#d\r\nLocation: //evil.example"}))
    assert (
        destination == "https://example.com/?a=%26b%3Dc%23d%0D%0ALocation%3A%20%2F%2Fevil.example"
    )


def test_a_name_that_the_sender_gave_is_kept_for_all_recipients() -> None:
    page = b"<a data-track-name=offer href='https://example.com/?a={{a}}'>x</a>"
    [link] = links(rewriter().template(page).render(ANN, {"a": "1"}))
    assert (link.name, link.destination) == ("offer", "https://example.com/?a=1")


def test_a_context_too_large_for_a_link_gives_the_page_back_with_a_caution() -> None:
    huge = Context(recipient="ann@example.org", variables=(("a", "x1" * 9000),))
    result = rewriter().html("<a href=https://example.com/>a</a>", huge)
    assert result.data == "<a href=https://example.com/>a</a>"
    assert [caution.code for caution in result.cautions] == ["too-long"]


def test_a_strict_sender_hears_of_a_context_too_large_as_an_error() -> None:
    huge = Context(recipient="ann@example.org", variables=(("a", "x1" * 9000),))
    with pytest.raises(FrameTooLarge):
        rewriter(strict=True).html("<a href=https://example.com/>a</a>", huge)


def test_a_template_is_compiled_with_a_policy_alone() -> None:
    sender = rewriter(port=8443, scheme="http")
    template = Template.compile(b"<a href=https://example.com/>a</a>", sender.policy)
    assert b"<a href=http://click.example.com:8443/c/" in template.render(ANN)
    assert KEYRING.for_domain("click.example.com").domain == sender.policy.tokens.domain


def test_the_links_of_a_campaign_are_decided_once_for_all_its_messages() -> None:
    sender = rewriter()
    link = Reference("https://example.com/", 1)
    again = Policy(sender.config, sender.policy.tokens)
    assert again.decide(link) is sender.policy.decide(link)


def test_the_memory_for_links_stays_small_however_many_there_are() -> None:
    policy = rewriter().policy
    link = Reference("https://example.com/", 1)
    first = policy.decide(link)
    for number in range(3000):
        policy.decide(Reference(f"mailto:{number}", 1))
    assert policy.decide(link) == first
    assert policy.decide(link) is not first
