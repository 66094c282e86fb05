"""Mailgun's own clients see and change tracking settings unchanged."""

import pytest
from mailgun.client import Client

from tests.sdk.conftest import Live
from tracker.domains import HTML_FOOTER

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
UPDATED = "Domain tracking settings have been updated"
FOOTER = '<p><a href="%unsubscribe_url%">Enough</a></p>'


def test_the_python_client_switches_tracking(live: Live) -> None:
    with Client(auth=("api", live.key), api_url=live.url) as client:
        where = {"domain": "python.example"}
        opened = client.domains_tracking_open.put(**where, data={"active": "no"}).json()
        clicked = client.domains_tracking_click.put(**where, data={"active": "yes"}).json()
        footers = {"active": "yes", "html_footer": FOOTER}
        client.domains_tracking_unsubscribe.put(**where, data=footers)
        prefix = client.domains_webprefix.put(**where, data={"web_prefix": "python"})
        settings = client.domains_tracking.get(**where).json()["tracking"]
    assert opened == {"message": UPDATED, "open": {"active": False, "place_at_the_top": False}}
    assert clicked == {"message": UPDATED, "click": {"active": True}}
    assert prefix.status_code == 200
    assert settings["unsubscribe"]["html_footer"] == FOOTER
    assert settings["web_scheme"] == "http"


def test_the_javascript_client_switches_tracking(node: Live) -> None:
    domain = "javascript.example"
    before, updated, after = node.javascript(
        ("domains.getTracking", [domain]),
        ("domains.updateTracking", [domain, "open", {"active": "no"}]),
        ("domains.getTracking", [domain]),
    )
    assert before["value"]["open"]["active"] is True
    assert before["value"]["unsubscribe"]["html_footer"] == HTML_FOOTER
    assert updated["value"]["message"] == UPDATED
    assert after["value"]["open"] == {"active": False, "place_at_the_top": False}
