"""`tracker consume`: the role that brings events from the bus into the store."""

import asyncio
import contextlib
import logging

from tracker import folder, logs, roles
from tracker.commands.options import Config, configured
from tracker.listen import bind, bound
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.sinks.url import SinkUrl
from tracker.supervise import supervise

logger = logging.getLogger(__name__)


def consume(config: Config = None) -> int:
    """Bring events from the bus into the store; any number of these share the work."""
    settings = configured(config)
    bus = source(settings)
    logs.configure(logs.form(settings.log.format))
    folder.prepare(settings.data)
    with contextlib.ExitStack() as held:
        listener = held.enter_context(bind(settings.consume.listen, "consume.listen"))
        child = roles.consumer(settings, bus, listener)
        logger.info("listening", extra={"on": [str(bound(listener))]})
        return asyncio.run(supervise([[child]], [listener]))


def source(settings: Settings) -> SinkUrl:
    """Return where events come from. Raises Mistake."""
    if settings.consume.url:
        return SinkUrl.parse(settings.consume.url)
    found = [url for url in settings.sinks if url.scheme == "nats"]
    if len(found) != 1:
        how_many = "names no stream" if not found else "names several streams"
        raise Mistake(
            f"sinks {how_many}: set consume.url to the one that events come from, such as"
            " nats://one:4222,two:4222/EVENTS",
            Exit.CONFIG,
        )
    return found[0]
