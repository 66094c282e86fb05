"""One order, from nothing to a chain (RFC 8555 §7.4).

    ordered → each authorisation proved → authorised → finalised → chain

Each arrow is awaited before the next request, so that whoever keeps count can go on from there in
another process: an order that is named is gone on with, not made anew.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from josepy.json_util import encode_b64jose

from certs.acme.jwk import thumbprint
from certs.acme.problem import (
    BAD_ANSWER,
    NO_CHALLENGE,
    ORDER_INVALID,
    TIMED_OUT,
    UNREACHABLE,
    Problem,
    shown,
)
from certs.acme.signed import Signed
from certs.acme.values import Challenge, ChallengeKind, Issued, Progress, Responder, Step
from certs.acme.wire import (
    CHAIN,
    Answer,
    Authorization,
    Order,
    ProblemDocument,
    SentChallenge,
    alternates,
    decoded,
    decoded_chain,
    retry_after,
)

# Seconds between looks where the CA doesn't ask for more; the last repeats.
POLL: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
# RFC 8555 §8: base64url, and random enough that it isn't short. Edges answer just these.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")
# Refusals that an order without `replaces` would meet as well.
_NOT_OF_REPLACES: Final = frozenset(
    {
        "accountDoesNotExist",
        "badNonce",
        "caa",
        "dns",
        "externalAccountRequired",
        "invalidProfile",
        "rateLimited",
        "rejectedIdentifier",
        "unsupportedIdentifier",
        "userActionRequired",
    }
)

logger = logging.getLogger(__name__)
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is ordered; `profile` is one that the CA offers, or ""."""

    name: str
    csr_der: bytes
    challenge: ChallengeKind
    profile: str = ""
    replaces: str = ""
    order_url: str = ""


class Ordering:
    """An order under way. `deadline` is of the event loop's clock."""

    def __init__(
        self, signed: Signed, new_order: str, wanted: Wanted, respond: Responder, deadline: float
    ) -> None:
        self._signed = signed
        self._new_order = new_order
        self._wanted = wanted
        self._respond = respond
        self._deadline = deadline
        self.url = wanted.order_url
        self.doing = "the order is being placed"

    async def chain(self, progress: Progress | None) -> Issued:
        """Go all the way. Raises Problem."""

        async def reached(step: Step) -> None:
            if progress:
                await progress(step, self.url)

        order = await self._placed()
        await reached("ordered")
        if order.status == "pending":
            for authorization in order.authorizations:
                await self._prove(authorization)
            self.doing = "the CA is getting the order ready"
            order = await self._polled(self.url, Order, lambda order: order.status != "pending")
        if order.status == "ready":
            await reached("authorised")
            order = await self._finalised(order)
        if order.status == "processing":
            await reached("finalised")
            self.doing = "the CA is making the certificate"
            order = await self._polled(
                self.url, Order, lambda order: order.status in {"valid", "invalid"}
            )
        if order.status == "invalid":
            raise _given_up(order.error, self.url)
        return await self._fetched(order)

    async def _placed(self) -> Order:
        """Place the order, or find the one that was placed earlier."""
        if self.url:
            return decoded(await self._signed.read(self.url), Order)
        answer = await self._taken()
        self.url = self._signed.exchange.located(answer)
        return decoded(answer, Order)

    async def _taken(self) -> Answer:
        """Place the order as a renewal, and where the CA doesn't take it so, as any other."""
        payload: dict[str, object] = {"identifiers": [{"type": "dns", "value": self._wanted.name}]}
        payload |= {"profile": self._wanted.profile} if self._wanted.profile else {}
        if self._wanted.replaces:
            try:
                renewal = payload | {"replaces": self._wanted.replaces}
                return await self._signed.post(self._new_order, renewal)
            except Problem as problem:
                if not _of_replaces(problem):
                    raise
                # RFC 9773 §5: which certificate is replaced is a hint. An account change, a second
                # renewal or a CA that forgot, or stumbles over it (Pebble answers 500 to one serial
                # number in 256), must not keep a name without a certificate.
                logger.warning(
                    "acme_renewal_not_taken_as_one",
                    extra={"domain": self._wanted.name, "reason": problem.sentence},
                )
        return await self._signed.post(self._new_order, payload)

    async def _prove(self, url: str) -> None:
        """Prove that the name is ours, unless the CA believes so already."""
        authorization = decoded(await self._signed.read(url), Authorization)
        if authorization.status == "valid":
            return
        if authorization.identifier.value.lower() != self._wanted.name.lower():
            other = f"it wants proof for {shown(authorization.identifier.value)!r}"
            raise Problem(BAD_ANSWER, other, url=url)
        if authorization.status != "pending":
            raise _unproved(authorization, url)
        sent = self._chosen(authorization, url)
        async with self._respond(self._challenge(sent)):
            if sent.status == "pending":
                await self._have_it_look(sent)
            self.doing = f"the CA is looking at {self._wanted.name}"
            authorization = await self._polled(
                url, Authorization, lambda authorization: authorization.status != "pending"
            )
        if authorization.status != "valid":
            raise _unproved(authorization, url)

    async def _have_it_look(self, sent: SentChallenge) -> None:
        """Say that the answer is ready; once more where the CA's word for it is lost."""
        try:
            await self._signed.post(sent.url, {})
            return
        except Problem as problem:
            if not _lost(problem):
                raise
        try:
            await self._signed.post(sent.url, {})
        except Problem as problem:
            # The CA heard the first time, and may be done by now: the look tells.
            if problem.type != "malformed":
                raise

    def _chosen(self, authorization: Authorization, url: str) -> SentChallenge:
        for sent in authorization.challenges:
            if sent.type == self._wanted.challenge:
                return sent
        offered = ", ".join(shown(sent.type, 40) for sent in authorization.challenges[:10])
        only = f"{self._wanted.challenge} is answered; it offers {offered or 'none'}"
        raise Problem(NO_CHALLENGE, only, url=url)

    def _challenge(self, sent: SentChallenge) -> Challenge:
        if not _TOKEN.fullmatch(sent.token):
            odd = f"its token {shown(sent.token, 140)!r} isn't 20 to 128 characters of base64url"
            raise Problem(BAD_ANSWER, odd, url=sent.url)
        authorization = f"{sent.token}.{thumbprint(self._signed.key)}"
        return Challenge(self._wanted.name, self._wanted.challenge, sent.token, authorization)

    async def _finalised(self, order: Order) -> Order:
        """Hand in the CSR; where the answer is lost, look whether it arrived."""
        self.doing = "the order is being finalised"
        csr = {"csr": encode_b64jose(self._wanted.csr_der)}
        try:
            return decoded(await self._signed.post(order.finalize, csr), Order)
        except Problem as problem:
            if not _lost(problem):
                raise
        order = decoded(await self._signed.read(self.url), Order)
        if order.status != "ready":
            return order
        return decoded(await self._signed.post(order.finalize, csr), Order)

    async def _fetched(self, order: Order) -> Issued:
        self.doing = "the chain is being fetched"
        answer = await self._signed.read(order.certificate, accept=CHAIN)
        return Issued(
            decoded_chain(answer),
            alternates(answer),
            self.url,
            replaced=bool(self._wanted.replaces) and order.replaces == self._wanted.replaces,
        )

    async def _polled(self, url: str, kind: type[_Kind], done: Callable[[_Kind], bool]) -> _Kind:
        """Look again and again, at the CA's pace, until it is done or there is no time left."""
        pauses = itertools.chain(POLL, itertools.repeat(POLL[-1]))
        while True:
            answer = await self._signed.read(url)
            if done(found := decoded(answer, kind)):
                return found
            asked = retry_after(answer, self._signed.exchange.clock())
            pause = max(asked or 0, next(pauses))
            if asyncio.get_running_loop().time() + pause > self._deadline:
                late = f"{self.doing}, and no time is left"
                raise Problem(TIMED_OUT, late, retry_after=asked, url=url)
            await self._signed.wait(pause)


def _of_replaces(problem: Problem) -> bool:
    return 400 <= problem.status <= 500 and problem.type not in _NOT_OF_REPLACES


def _lost(problem: Problem) -> bool:
    """Tell whether the CA may have done what it was asked, without our hearing of it."""
    return problem.type in {UNREACHABLE, TIMED_OUT}


def _unproved(authorization: Authorization, url: str) -> Problem:
    """Return why the CA doesn't believe that the name is ours, in its words."""
    for sent in authorization.challenges:
        if sent.error:
            return sent.error.problem(url)
    return Problem("unauthorized", f"the authorisation is {authorization.status}", url=url)


def _given_up(error: ProblemDocument | None, url: str) -> Problem:
    if error is None:
        return Problem(ORDER_INVALID, "it doesn't say why", url=url)
    return error.problem(url)
