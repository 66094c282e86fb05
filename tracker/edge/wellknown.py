"""What a tracking domain says of itself under /.well-known/ (RFC 8615).

In: the request's Host header, the published settings, our ACME accounts' thumbprints. Out: an
`Answer`. Any worker answers any challenge: what a CA asks for needs no state but the thumbprint.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rewriter.keyring import BadDomain
from tracker.domains import TrackingDomain
from tracker.edge.answer import NOT_FOUND, Answer, answer
from tracker.edge.domains import named

# RFC 8555 §8.3: base64url. Shorter ones could be guessed, and no CA's are longer.
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")
_KEY_AUTHORISATION: Final = {
    "content-type": "application/octet-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
_APP_LINKS: Final = {
    "content-type": "application/json",
    "cache-control": "max-age=3600",
    "x-content-type-options": "nosniff",
}


class WellKnown:
    """The well-known resources of the registered domains; others have none."""

    def __init__(
        self,
        registered: Callable[[], Mapping[str, TrackingDomain]],
        thumbprints: Callable[[], Sequence[str]],
    ) -> None:
        """Take what tells the domains, and the accounts, the one in use first; both asked anew."""
        self._registered = registered
        self._thumbprints = thumbprints

    def challenge(self, host: bytes, token: str) -> Answer:
        """Answer a CA's HTTP-01 challenge (RFC 8555 §8.3), for registered domains alone.

        For any other name, whoever points it here could have a certificate in our account's name.
        """
        if self._domain(host) is None or not TOKEN.fullmatch(token):
            return NOT_FOUND
        thumbprints = self._thumbprints()
        if not thumbprints:
            return NOT_FOUND
        return answer(200, _KEY_AUTHORISATION, f"{token}.{thumbprints[0]}".encode())

    def app_site_association(self, host: bytes) -> Answer:
        """Tell Apple's systems which app opens which of the domain's links."""
        domain = self._domain(host)
        return _app_links(domain.app_site_association if domain else "")

    def asset_links(self, host: bytes) -> Answer:
        """Tell Android which app may open the domain's links."""
        domain = self._domain(host)
        return _app_links(domain.asset_links if domain else "")

    def _domain(self, host: bytes) -> TrackingDomain | None:
        try:
            return self._registered().get(named(host))
        except BadDomain:
            return None


def _app_links(text: str) -> Answer:
    return answer(200, _APP_LINKS, text.encode()) if text else NOT_FOUND
