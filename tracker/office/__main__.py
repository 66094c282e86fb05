"""The back office's process: reads its settings and works until told to stop.

In: a line of JSON on standard input. Out: an exit status, and a sentence of what a person can mend.
"""

import logging
import sys
from typing import NoReturn

import msgspec
import uvloop

from tracker import interpreter, logs
from tracker.mistake import Exit, Mistake
from tracker.office import OfficeSettings


def main() -> None:
    """Read the settings and work until told to stop."""
    try:
        settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=OfficeSettings)
    except msgspec.MsgspecError as error:
        _leave(f"the office's settings on standard input are not what it takes: {error}")
    logs.configure(settings.log_format)
    # It logs the URL of each request, and that of a webhook may hold a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    interpreter.look_for_cycles_seldom()
    interpreter.take_turns_often()
    from tracker.office import work  # noqa: PLC0415 - behind the above: an eighth of a start

    try:
        uvloop.run(work.work(settings))
    except Mistake as mistake:
        _leave(str(mistake), mistake.status)
    except tuple(work.STATUSES) as error:
        _leave(str(error), work.STATUSES[type(error)])


def _leave(sentence: str, status: Exit = Exit.CONFIG) -> NoReturn:
    sys.stderr.write(f"tracker: {sentence}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
