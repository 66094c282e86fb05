"""Requests in the account's name: nonces, and what is tried again by itself.

A refused nonce is tried again, as RFC 8555 §6.5 wants. So is a CA that is unwell for a moment, but
only where a second try can't do a thing twice. All else is the caller's to decide.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from certs.acme.exchange import Exchange
from certs.acme.jwk import AccountKey
from certs.acme.jws import signed
from certs.acme.problem import BAD_ANSWER, TIMED_OUT, UNREACHABLE, Problem
from certs.acme.wire import Answer, refusal

# Where every other nonce is refused, 8 tries lost one order in forty; 20 lose one in 100,000.
NONCE_TRIES: Final = 20
PAUSES: Final = (1.0, 2.0, 4.0)  # seconds, while the CA is unwell
_LONGEST_PAUSE: Final = 10  # seconds; a CA that asks for more is left for later
_MOST_NONCES: Final = 32
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,512}")  # RFC 8555 §6.5.1

Wait = Callable[[float], Awaitable[None]]


class Signed:
    """Sends what is signed by one account key; `account_url` is "" until there is an account."""

    def __init__(
        self, exchange: Exchange, new_nonce: str, key: AccountKey, account_url: str, wait: Wait
    ) -> None:
        self.exchange = exchange
        self.key = key
        self.account_url = account_url
        self.wait = wait
        self._new_nonce = new_nonce
        self._nonces: list[str] = []

    async def read(self, url: str, accept: str = "") -> Answer:
        """Read a resource (POST-as-GET), through short troubles of the CA. Raises Problem."""
        return await self._patiently(url, None, safe=True, accept=accept)

    async def post(self, url: str, payload: object) -> Answer:
        """Have the CA do something, at most once. Raises Problem."""
        return await self._patiently(url, payload, safe=False)

    async def post_by_key(self, url: str, payload: object) -> Answer:
        """Have the CA do something for a key that may have no account yet. Raises Problem."""
        return await self._patiently(url, payload, safe=False, by_key=True)

    async def _patiently(
        self, url: str, payload: object, *, safe: bool, accept: str = "", by_key: bool = False
    ) -> Answer:
        for pause in PAUSES:
            try:
                return await self._past_nonces(url, payload, accept=accept, by_key=by_key)
            except Problem as problem:
                if not _passing(problem, safe=safe):
                    raise
                await self.wait(max(pause, problem.retry_after or 0))
        return await self._past_nonces(url, payload, accept=accept, by_key=by_key)

    async def _past_nonces(self, url: str, payload: object, *, accept: str, by_key: bool) -> Answer:
        for tries_left in reversed(range(NONCE_TRIES)):
            answer = await self._once(url, payload, accept=accept, by_key=by_key)
            if answer.good:
                return answer
            problem = refusal(answer, self.exchange.clock())
            if problem.type != "badNonce" or not tries_left:
                break
        raise problem

    async def _once(self, url: str, payload: object, *, accept: str, by_key: bool) -> Answer:
        if not (by_key or self.account_url):
            raise Problem("accountDoesNotExist", "register the account, or find it, first")
        content = signed(
            payload,
            key=self.key,
            url=url,
            nonce=await self._nonce(),
            account_url="" if by_key else self.account_url,
        )
        headers = {"Content-Type": "application/jose+json"} | ({"Accept": accept} if accept else {})
        answer = await self.exchange.send("POST", url, msgspec.json.encode(content), headers)
        self._keep_nonce(answer)
        return answer

    async def _nonce(self) -> str:
        if not self._nonces:
            answer = await self.exchange.send("HEAD", self._new_nonce)
            if not answer.good:
                raise refusal(answer, self.exchange.clock())
            self._keep_nonce(answer)
        if not self._nonces:
            raise Problem(BAD_ANSWER, "it gives no nonce", url=self._new_nonce)
        return self._nonces.pop()

    def _keep_nonce(self, answer: Answer) -> None:
        nonce = answer.headers.get("replay-nonce", "")
        if _NONCE.fullmatch(nonce) and len(self._nonces) < _MOST_NONCES:
            self._nonces.append(nonce)


def _passing(problem: Problem, *, safe: bool) -> bool:
    """Tell whether the same request may be sent once more, soon."""
    if (problem.retry_after or 0) > _LONGEST_PAUSE:
        return False
    # RFC 9110 §15.6.4: it was not done. Of other failures, only what changes nothing is repeated.
    return problem.status == 503 or (
        safe and (problem.type in {UNREACHABLE, TIMED_OUT} or problem.status in {500, 502, 504})
    )
