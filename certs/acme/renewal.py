"""When a CA would like a certificate renewed (RFC 9773)."""

from typing import Final

from certs.acme.exchange import Exchange
from certs.acme.problem import BAD_ANSWER, Problem, shown
from certs.acme.values import RenewalWindow
from certs.acme.wire import SentRenewalInfo, decoded, refusal, retry_after

# RFC 9773 §4.3: how often to ask is the CA's to say, within reason.
_EVERY: Final = 6 * 3600
_AT_LEAST: Final = 60
_AT_MOST: Final = 86400


async def renewal_window(exchange: Exchange, url: str) -> RenewalWindow:
    """Ask for the window of the certificate that the URL names. Raises Problem."""
    answer = await exchange.get(url)
    if not answer.good:
        raise refusal(answer, exchange.clock())
    said = decoded(answer, SentRenewalInfo)
    start, end = (said.suggested_window.start.timestamp(), said.suggested_window.end.timestamp())
    if end <= start:
        backwards = "the time that it suggests for a renewal ends before it begins"
        raise Problem(BAD_ANSWER, backwards, status=answer.status, url=answer.url)
    asked = retry_after(answer, exchange.clock())
    wait = _EVERY if asked is None else min(max(asked, _AT_LEAST), _AT_MOST)
    return RenewalWindow(start, end, wait, shown(said.explanation))
