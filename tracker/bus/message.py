"""An event as the stream has it: its JSON, under a subject that tells kind and sending domain.

    tracking.clicked.news_example

Promise: the same revision of an event has the same id whoever sends it, so that the stream knows
doubles; another revision is another message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tracker.event import Event, encode

# What has a meaning in a subject (dots, *, >), or none at all, becomes one character that hasn't.
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Message:
    """What is published. `id` tells it from every other in the stream."""

    subject: str
    id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def message(event: Event, prefix: str) -> Message:
    """Make the message of an event."""
    subject = f"{prefix}.{word(event.event)}.{word(event.domain.name)}"
    number = f"{event.id}/{event.revision}" if event.revision else event.id
    return Message(subject, number, encode(event))


def subjects(prefix: str) -> str:
    """Return the pattern that takes every event's subject."""
    return f"{prefix}.>"


def word(text: str) -> str:
    """Return a text as one word of a subject: `news.example` is `news_example`."""
    return _OTHER.sub("_", text) or "_"
