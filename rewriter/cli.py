"""The command `rewriter`: a filter from stdin to stdout, and the commands beside it.

In: arguments, the environment, a message on stdin. Out: the message on stdout, warnings on stderr,
an exit status of sysexits. Importing this module must stay cheap: a filter is started for every
message.

Promise: where a message can't be rewritten it comes out as it came, with a warning and status 0;
with `--strict` nothing comes out and the status says why. Never half a message.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from rewriter import exits
from rewriter.commands.explain import as_json, explanation
from rewriter.commands.inspection import look_into
from rewriter.commands.options import (
    Parser,
    Version,
    add_letterhead,
    add_settings,
    complain,
    settings_of,
    warn,
    write,
)
from rewriter.commands.rewriters import Rewriters
from rewriter.commands.settings import DEFAULT_KEYRING, SETTINGS, Settings
from rewriter.config import ConfigError
from rewriter.keyring import BadDomain, KeyringError
from rewriter.mime.message import Refused, RewrittenMessage
from rewriter.notices import Notice
from rewriter.tokens import BadToken, Context, FrameTooLarge

EPILOG: Final = """\
exit status: 0 done (a message that can't be rewritten comes out as it came); 64 wrong usage;
65 the message can't be rewritten and --strict was given; 66 a file is missing;
69 an optional package is missing; 70 a fault of ours;
74 output failed; 78 a wrong setting or keyring.

Each setting can stand in the environment too (REWRITER_TRACKING_DOMAIN=…) or in the [rewriter]
table of a TOML file. Other commands: rewriter token show URL, rewriter batch, rewriter smtp."""

Command = Callable[[Sequence[str], Mapping[str, str]], int]


def main() -> NoReturn:
    """Run the command."""
    raise SystemExit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command that the arguments name; return its exit status."""
    command: Command = filter_message
    if arguments and arguments[0] in COMMANDS:
        command, arguments = COMMANDS[arguments[0]], arguments[1:]
    try:
        return command(arguments, environment)
    except (ConfigError, KeyringError, BadDomain) as error:
        complain(str(error))
        return exits.CONFIG
    except BrokenPipeError:
        # What reads our output went away; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.IO
    except OSError as error:
        complain(f"{error.strerror}: {error.filename}" if error.filename else str(error))
        return exits.IO


def filter_message(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Rewrite one message, or one page with --html, from stdin to stdout."""
    parser = Parser(
        prog="rewriter",
        description="Rewrite the mail on stdin: its links lead to your tracking domain.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=Version)
    parser.add_argument("--html", action="store_true", help="stdin is a page, not a message")
    parser.add_argument("--charset", default="", help="with --html: the page's charset")
    parser.add_argument("--explain", action="store_true", help="tell of each link, change nothing")
    parser.add_argument("--json", action="store_true", help="the same for programs")
    add_letterhead(parser)
    add_settings(parser)
    options = parser.parse_args(arguments)
    settings = settings_of(options, environment)
    if sys.stdin.isatty():
        parser.error("nothing to read: give a message on stdin")
    data = sys.stdin.buffer.read()
    try:
        outcome = rewrite_input(data, settings, options)
    except Refused as refusal:
        warn(refusal.notices, "error")
        return exits.DATA
    write(_report(outcome, options) if options.json or options.explain else outcome.pieces)
    if not options.explain:
        warn(outcome.notices)
    return exits.OK


def show_token(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Tell what is in a tracked URL: where it leads, and whose mail it was if our keys open it."""
    parser = Parser(prog="rewriter token", description="Tell what is in a tracked URL.")
    parser.add_argument("action", choices=["show"])
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--keyring", metavar="FILE", help=SETTINGS["keyring"].help)
    parser.add_argument("--tracking-domain", metavar="DOMAIN", help="if it isn't the URL's host")
    options = parser.parse_args(arguments)
    path = Path(options.keyring or environment.get("REWRITER_KEYRING") or DEFAULT_KEYRING)
    try:
        seen = look_into(options.url, path, options.tracking_domain)
    except BadToken as error:
        complain(f"this is no tracked URL: {error.reason}")
        return exits.DATA
    write((seen.as_json() if options.json else seen.as_text(), b"\n"))
    return exits.OK


def _smtp(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        from rewriter.commands import smtp  # noqa: PLC0415 - a filter of one message needn't load it
    except ModuleNotFoundError as error:
        complain(f"{error.name} is missing: install tracking-edge[smtp]")
        return exits.UNAVAILABLE
    return smtp.main(arguments, environment)


def _batch(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    from rewriter.commands import batch  # noqa: PLC0415 - a filter of one message needn't load it

    return batch.main(arguments, environment)


COMMANDS: Final[Mapping[str, Command]] = {
    "token": show_token,
    "batch": _batch,
    "smtp": _smtp,
}


def rewrite_input(data: bytes, settings: Settings, options: argparse.Namespace) -> RewrittenMessage:
    """Rewrite, and let no failure but a refusal keep the message from coming out."""
    try:
        if settings.config.privacy == "off":
            return RewrittenMessage(data)
        if options.html:
            return _page(data, settings, options.charset)
        return _message(data, settings)
    except KeyringError as error:
        if settings.config.strict:
            raise
        complain(f"warning: {error}; it comes out unchanged")
    except Refused as refusal:
        if settings.config.strict:
            raise
        return RewrittenMessage(data, refusal.notices)
    except Exception as error:
        # A fault of ours must not cost anyone their mail, nor pass for the sender's mistake.
        traceback.print_exc()
        if settings.config.strict:
            complain("error: a fault of the rewriter's own; nothing comes out")
            raise SystemExit(exits.SOFTWARE) from error
        complain("warning: a fault of the rewriter's own; it comes out unchanged")
    return RewrittenMessage(data)


def _message(data: bytes, settings: Settings) -> RewrittenMessage:
    return Rewriters(settings).message(data, settings.letterhead)


def _page(data: bytes, settings: Settings, charset: str) -> RewrittenMessage:
    whose = settings.letterhead
    rewriter = Rewriters(settings).of_domain(whose.sending_domain)
    context = Context(whose.message_id, whose.recipient, whose.sending_domain, whose.sent_at)
    try:
        page = rewriter.html(data, context, charset=charset)
    except FrameTooLarge as error:
        raise Refused([Notice("too-long", "", str(error))]) from error
    notices = tuple(Notice(caution.code, "", caution.detail) for caution in page.cautions)
    return RewrittenMessage(page.data, notices, tuple(("", link) for link in page.links))


def _report(outcome: RewrittenMessage, options: argparse.Namespace) -> Iterator[bytes]:
    if options.json:
        yield as_json(outcome.links, outcome.notices) + b"\n"
        return
    for line in explanation(outcome.links, outcome.notices):
        yield line.encode("utf-8", "replace") + b"\n"
