"""Control headers: what a message says about its own tracking, to Mailgun or to Amazon SES.

In: a message's headers and the settings of its domain. Out: the settings of this message, its tags
and variables, and the header fields to remove, since they speak to us and not to the recipient.

Promise: a message's word goes before its domain's, the particular before the general; a value that
can't be understood changes nothing and is named.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from rewriter.config import Config
from rewriter.mime.headers import Field, Headers, unencoded
from rewriter.notices import Notice

# Mailgun, "Tagging": up to 128 characters of ASCII.
TAG: Final = re.compile(r"[ -~]{1,128}")
# SES developer guide, "Message tags": letters, digits, `_` and `-`, up to 256 of them.
SES_WORD: Final = r"[A-Za-z0-9_-]{1,256}"
SES_TAG: Final = re.compile(rf"({SES_WORD})\s*=\s*({SES_WORD})")
# No separator of the token's fields may come in through a header.
CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f]")

OFF: Final = {"clicks": False, "text_links": False}
# Mailgun, "Sending via SMTP". A yes to clicks is for both parts, `htmlonly` for one. The order is
# that of precedence: what comes later goes before what came earlier.
SWITCHES: Final[Mapping[bytes, Mapping[str, Mapping[str, Any]]]] = {
    b"x-mailgun-track": {"yes": {"clicks": True, "opens": True}, "no": {**OFF, "opens": False}},
    b"x-mailgun-track-clicks": {
        "yes": {"clicks": True, "text_links": True},
        "no": OFF,
        "htmlonly": {"clicks": True, "text_links": False},
    },
    b"x-mailgun-track-opens": {"yes": {"opens": True}, "no": {"opens": False}},
    b"x-mailgun-track-pixel-location-top": {"yes": {"pixel": "top"}, "no": {"pixel": "bottom"}},
}
SYNONYMS: Final = {"true": "yes", "on": "yes", "false": "no", "off": "no"}


class NotUnderstood(ValueError):
    """A control header says something that it can't say."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What the control headers of one message come to; `fields` are to be removed."""

    config: Config
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    configuration_set: str = ""
    fields: tuple[Field, ...] = ()
    notices: tuple[Notice, ...] = ()


def read_controls(headers: Headers, config: Config) -> Controls:
    """Obey the control headers of a message."""
    controls = Controls(config)
    for name, obey in READERS.items():
        for field in headers.all(name):
            controls = replace(controls, fields=(*controls.fields, field))
            try:
                controls = obey(controls, name, unencoded(headers.text(field)))
            except NotUnderstood as error:
                notice = Notice("control", "", f"{name.decode()}: {error}")
                controls = replace(controls, notices=(*controls.notices, notice))
    return controls


def _switch(controls: Controls, name: bytes, value: str) -> Controls:
    choices = SWITCHES[name]
    word = value.lower()
    changes = choices.get(SYNONYMS.get(word, word))
    if changes is None:
        raise NotUnderstood(f"{value!r} is none of {', '.join(choices)}")
    return replace(controls, config=replace(controls.config, **changes))


def _tag(controls: Controls, _: bytes, value: str) -> Controls:
    if not TAG.fullmatch(value):
        raise NotUnderstood("a tag has 1 to 128 characters of ASCII")
    return replace(controls, tags=tuple(dict.fromkeys((*controls.tags, value))))


def _variables(controls: Controls, _: bytes, value: str) -> Controls:
    try:
        given = msgspec.json.decode(value, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise NotUnderstood(f"it is no JSON object: {error}") from error
    # Mailgun, "Attaching data to messages": what is no string arrives as its JSON.
    texts = {
        key: item if isinstance(item, str) else msgspec.json.encode(item).decode()
        for key, item in given.items()
    }
    return _with_variables(controls, texts)


def _ses_tags(controls: Controls, _: bytes, value: str) -> Controls:
    texts = {}
    for item in filter(None, map(str.strip, value.split(","))):
        match = SES_TAG.fullmatch(item)
        if match is None:
            raise NotUnderstood(f"{item!r} is not name=value in letters, digits, '_' and '-'")
        texts[match[1]] = match[2]
    return _with_variables(controls, texts)


def _configuration_set(controls: Controls, _: bytes, value: str) -> Controls:
    if not re.fullmatch(SES_WORD, value):
        raise NotUnderstood(f"{value!r} is no name of letters, digits, '_' and '-'")
    return replace(controls, configuration_set=value)


def _with_variables(controls: Controls, texts: Mapping[str, str]) -> Controls:
    for key, text in texts.items():
        if not key or "=" in key or CONTROL_CHARACTER.search(key + text):
            raise NotUnderstood(f"{key!r} or its value holds '=' or a control character")
    return replace(controls, variables=tuple({**dict(controls.variables), **texts}.items()))


READERS: Final[Mapping[bytes, Callable[[Controls, bytes, str], Controls]]] = {
    **dict.fromkeys(SWITCHES, _switch),
    b"x-mailgun-tag": _tag,
    b"x-mailgun-variables": _variables,
    b"x-ses-configuration-set": _configuration_set,
    b"x-ses-message-tags": _ses_tags,
}
