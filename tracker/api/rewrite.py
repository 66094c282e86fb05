"""Rewriting over HTTP: `POST /v1/rewrite`, for senders that can't run the `rewriter` command.

In: a whole message (`message/rfc822`) or a page (`text/html`) as the body, the rewriter's settings
as query parameters. Out: the same type, its links tracked with the office's own keys, every other
byte as it came; with `explain=yes`, JSON that tells what became of each link as well.

Promise: an answer of 200 holds a whole message, rewritten or as it came, and any other none of it.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from rewriter.commands.explain import as_json
from rewriter.commands.settings import NO, YES, read_values
from rewriter.config import Config, ConfigError
from rewriter.keyring import KeyringError
from rewriter.mime.controls import TAG
from rewriter.mime.headers import after_mbox_line, read_headers
from rewriter.mime.letterhead import Letterhead, read_letterhead
from rewriter.mime.message import Refused as NotRewritten
from rewriter.mime.message import RewrittenMessage, plan_message
from rewriter.notices import Notice
from rewriter.rewriter import Rewriter
from rewriter.tokens import Context, FrameTooLarge
from tracker.api.answer import Answer, Refused, answered
from tracker.api.grant import Grant
from tracker.api.operation import Operation, Parameter
from tracker.api.rewriters import Rewriters

PATH: Final = "/v1/rewrite"
MOST_BYTES: Final = 25 << 20  # a message; many mail servers take no larger one
MOST_HELD: Final = 64 << 20  # bytes of all messages that wait here or are being rewritten
AT_ONCE: Final = 2  # threads share one interpreter, so that more would finish nothing sooner

MESSAGE: Final = "message/rfc822"
PAGE: Final = "text/html"
NOTICES: Final = "Rewriter-Notices"

TAGS: Final = "tags"
WHERE: Final = "tracking_url"
OURS: Final = ("keyring", "settings")
PARAMETERS: Final = (
    Parameter(
        WHERE,
        "where links lead, such as https://click.example.com, if not to what is registered for the"
        " sending domain",
    ),
    Parameter(TAGS, "a tag of the message", repeated=True),
    Parameter("explain", "`yes` tells what became of each link", {"enum": ["yes", "no"]}),
)
NO_FILE: Final = Path(os.devnull, "domains.json")  # no register will ever be there


@dataclass(frozen=True, slots=True)
class Job:
    """What a request asks for; `content_type` is the body's, as it was given.

    `config` is made of the settings that were `given`, as if nothing were registered.
    """

    content_type: str
    page: bool
    charset: str
    given: Mapping[str, Any]
    config: Config
    letterhead: Letterhead
    tags: tuple[str, ...]
    explain: bool


class Rewriting:
    """The endpoint, with the rewriters that it works with and the work that it has taken on."""

    def __init__(self, keyring: Path, published: Path = NO_FILE) -> None:
        """Take what signs, and what tells the register. Raises KeyringError."""
        self._rewriters = Rewriters(keyring, published)
        self._working = asyncio.Semaphore(AT_ONCE)
        self._held = 0

    def operations(self) -> list[Operation]:
        """Return what the API does with it."""
        return [
            Operation(
                "POST",
                PATH,
                self.answer,
                "rewrite",
                "Rewrite a message or a page, so that its links are tracked",
                parameters=PARAMETERS,
                body={MESSAGE: bytes, PAGE: bytes},
                answers={200: bytes},
                most=MOST_BYTES,
                domainless=True,
                more=True,
            )
        ]

    async def answer(self, request: Request) -> Answer:
        """Answer with the body, tracked.

        What can't be rewritten comes back as it came, with 200 and the reason in
        `Rewriter-Notices`, so that mail goes out untracked rather than not at all; with `strict`
        it is a 422 that says why. A setting that is wrong is a 400 in either case, since it is
        wrong for every message; another type is a 415. Too much at once is a 503, to be tried
        again. A key for some sending domains rewrites their mail alone (403).
        """
        grant: Grant = request.state.grant
        job = asked(request.headers.get("content-type", ""), request.query_params.multi_items())
        if not ("tracking_domain" in job.given or _off(job) or self._rewriters.knows()):
            raise Refused(f"{WHERE}: it is needed, for it is where tracked links lead")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused("a body comes as it is, without a Content-Encoding", 415)
        body = bytearray()
        try:
            async for piece in request.stream():
                if self._held + len(piece) > MOST_HELD:
                    raise HTTPException(503, headers={"Retry-After": "1"})
                self._held += len(piece)
                body += piece
            if not body:
                raise Refused("the body is empty: it is the message or page to rewrite")
            async with self._working:
                return await asyncio.to_thread(self._done, job, bytes(body), grant)
        except ClientDisconnect as error:
            raise Refused("the body broke off") from error
        finally:
            self._held -= len(body)

    def _done(self, job: Job, data: bytes, grant: Grant) -> Answer:
        sending_domain = _sending_domain(job, data)
        grant.check("rewrite", sending_domain or None)
        rewritten = self._rewritten(job, data, sending_domain)
        if job.explain:
            told = msgspec.json.decode(
                as_json(rewritten.links, rewritten.notices), type=dict[str, msgspec.Raw]
            )
            return answered({"data": bytes(rewritten), **told})
        headers = {"Content-Type": job.content_type}
        if codes := dict.fromkeys(notice.code for notice in rewritten.notices):
            headers[NOTICES] = ", ".join(codes)
        return Answer(bytes(rewritten), headers=headers)

    def _rewritten(self, job: Job, data: bytes, sending_domain: str) -> RewrittenMessage:
        if _off(job):
            return RewrittenMessage(data)
        try:
            config = self._rewriters.config(job.given, sending_domain)
        except NotRewritten as refusal:
            if job.config.strict:
                raise Refused(str(refusal), 422) from refusal
            return RewrittenMessage(data, refusal.notices)
        try:
            rewriter = self._rewriters.of(config)
        except KeyringError as error:
            raise Refused(str(error)) from error
        try:
            return (_page if job.page else _message)(rewriter, job, data)
        except NotRewritten as refusal:
            if job.config.strict:
                raise Refused(str(refusal), 422) from refusal
            return RewrittenMessage(data, refusal.notices)


def asked(content_type: str, pairs: Iterable[tuple[str, str]]) -> Job:
    """Read what a request asks for. Raises Refused."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() not in {MESSAGE, PAGE}:
        raise Refused(f"the body's Content-Type is {MESSAGE} or {PAGE}", 415)
    given, tags = _read_once(pairs)
    recipient, message_id = given.pop("recipient", ""), given.pop("message_id", "")
    explain = _switch("explain", given.pop("explain", "no"))
    values = _values(given)
    sending = Letterhead(sending_domain=values.pop("sending_domain", ""))
    return Job(
        content_type=content_type,
        page=header.get_content_type() == PAGE,
        charset=header.get_content_charset() or "",
        given=values,
        config=_config(values),
        letterhead=Letterhead(message_id.strip("<>"), recipient).over(sending),
        tags=tags,
        explain=explain,
    )


def _read_once(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Tell the parameters that are given once from the tags."""
    given: dict[str, str] = {}
    tags: dict[str, None] = {}
    for name, value in pairs:
        if name == TAGS:
            if not TAG.fullmatch(value):
                raise Refused(f"{TAGS}: a tag has 1 to 128 characters of ASCII")
            tags[value] = None
        elif name in given:
            raise Refused(f"{name}: it is given more than once, which only {TAGS} can be")
        else:
            given[name] = value
    return given, tuple(tags)


def _values(given: dict[str, str]) -> dict[str, Any]:
    if name := next((name for name in OURS if name in given), None):
        # A path from outside would be read with the office's rights.
        raise Refused(f"{name}: it can't be chosen, the tracker works with its own")
    try:
        return read_values(given)
    except ConfigError as error:
        raise Refused(str(error)) from error


def _config(values: Mapping[str, Any]) -> Config:
    try:
        return Config(**{"tracking_domain": "unused", **values})
    except ConfigError as error:
        raise Refused(str(error)) from error


def _sending_domain(job: Job, data: bytes) -> str:
    said = job.letterhead.sending_domain
    if said or job.page:
        return said
    return read_letterhead(read_headers(data, after_mbox_line(data), len(data))).sending_domain


def _off(job: Job) -> bool:
    return job.config.privacy == "off"


def _switch(name: str, word: str) -> bool:
    if word.lower() not in YES | NO:
        raise Refused(f"{name}: {word!r} is neither yes nor no")
    return word.lower() in YES


def _message(rewriter: Rewriter, job: Job, data: bytes) -> RewrittenMessage:
    planned = plan_message(data, rewriter.policy)
    tags = dict.fromkeys((*planned.controls.tags, *job.tags))
    controls = replace(planned.controls, tags=tuple(tags))
    return replace(planned, controls=controls).render(job.letterhead)


def _page(rewriter: Rewriter, job: Job, data: bytes) -> RewrittenMessage:
    whose = job.letterhead
    context = Context(whose.message_id, whose.recipient, whose.sending_domain, tags=job.tags)
    try:
        page = rewriter.html(data, context, charset=job.charset)
    except FrameTooLarge as error:
        raise NotRewritten([Notice("too-long", "", str(error))]) from error
    notices = tuple(Notice(caution.code, "", caution.detail) for caution in page.cautions)
    return RewrittenMessage(page.data, notices, tuple(("", link) for link in page.links))
