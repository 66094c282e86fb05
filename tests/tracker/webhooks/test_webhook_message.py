"""What is posted: Mailgun's form to the letter, signed in its way and by Standard Webhooks."""

import hmac
import json
import time
from hashlib import sha256

import pytest
import standardwebhooks

from tracker.store.webhook_keys import SigningKey
from tracker.webhooks.message import BATCH, Item, event_id, message
from tracker.webhooks.signature import mailgun_key, standard_key

NOW = 1_790_000_000
KEY = SigningKey("k1", "", b"\x01" * 32, NOW, NOW)
ITEM = Item("AZq5cXcAAAAAAAAAAAAAAA", b'{"event":"opened","id":"AZq5cXcAAAAAAAAAAAAAAA"}')


@pytest.fixture
def now() -> int:
    """Return the time: a receiver takes no request that is older than some minutes."""
    return int(time.time())


def test_one_event_has_mailgun_s_form_and_signature() -> None:
    posted = message([ITEM], [KEY], NOW, batch=False)
    body = json.loads(posted.body)
    assert posted.headers["Content-Type"] == "application/json"
    assert list(body) == ["signature", "event-data"]
    assert body["event-data"] == json.loads(ITEM.document)
    signature = body["signature"]
    signed = (signature["timestamp"] + signature["token"]).encode()
    key = mailgun_key(KEY.secret).encode()
    assert signature["signature"] == hmac.new(key, signed, sha256).hexdigest()
    assert (signature["timestamp"], len(signature["token"])) == (str(NOW), 50)


def test_a_token_never_comes_again() -> None:
    tokens = {
        json.loads(message([ITEM], [KEY], NOW, batch=False).body)["signature"]["token"]
        for _ in range(1_000)
    }
    assert len(tokens) == 1_000


def test_the_body_is_signed_for_standard_webhooks(now: int) -> None:
    posted = message([ITEM], [KEY], now, batch=False)
    verifier = standardwebhooks.Webhook(standard_key(KEY.secret))
    assert verifier.verify(posted.body, dict(posted.headers)) == json.loads(posted.body)
    assert posted.headers["webhook-id"] == ITEM.id
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(posted.body.replace(b"opened", b"clicked"), dict(posted.headers))


def test_while_two_keys_hold_a_receiver_of_either_is_content(now: int) -> None:
    newer = SigningKey("k2", "", b"\x02" * 32, now, now + 3600)
    posted = message([ITEM], [newer, KEY], now, batch=False)
    for key in (KEY, newer):
        verifier = standardwebhooks.Webhook(standard_key(key.secret))
        verifier.verify(posted.body, dict(posted.headers))
    # In the body there is room for one: the newer key's turn comes when the older one ends.
    for at, key in ((now, KEY), (now + 3600, newer)):
        signature = json.loads(message([ITEM], [newer, KEY], at, batch=False).body)["signature"]
        signed = (signature["timestamp"] + signature["token"]).encode()
        made = hmac.new(mailgun_key(key.secret).encode(), signed, sha256)
        assert signature["signature"] == made.hexdigest()


def test_a_batch_says_that_it_is_not_mailgun_s_form(now: int) -> None:
    posted = message([ITEM, Item("b", b"{}")], [KEY], now, batch=True)
    first, second = json.loads(posted.body)
    assert posted.headers["Content-Type"] == BATCH
    assert (first["event-data"]["event"], second["event-data"]) == ("opened", {})
    assert first["signature"]["token"] != second["signature"]["token"]
    standardwebhooks.Webhook(standard_key(KEY.secret)).verify(posted.body, dict(posted.headers))


@pytest.mark.parametrize("id_", ["a.b", "a b", "é", "a\r\nX-Header: b", "", "x" * 200])
def test_an_id_that_fits_no_header_is_replaced_by_one_that_does(id_: str, now: int) -> None:
    """Posted events bring ids of their own; a full stop would blur what is signed."""
    one, again = (message([Item(id_, b"{}")], [KEY], now, batch=False) for _ in range(2))
    assert one.headers["webhook-id"] == again.headers["webhook-id"]
    assert one.headers["webhook-id"].replace("-", "").replace("_", "").isalnum()
    standardwebhooks.Webhook(standard_key(KEY.secret)).verify(one.body, dict(one.headers))


def test_a_revision_is_another_message() -> None:
    assert (event_id("a", 0), event_id("a", 2)) == ("a", "a/2")
