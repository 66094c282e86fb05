"""The consumer's process: reads its settings and works until told to stop.

In: a line of JSON on standard input. Out: an exit status.
"""

import logging
import sys

import msgspec
import uvloop

from tracker import interpreter, logs
from tracker.consume import ConsumeSettings
from tracker.mistake import Exit


def main() -> None:
    """Read the settings and work until told to stop."""
    try:
        settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=ConsumeSettings)
    except msgspec.MsgspecError as error:
        sys.stderr.write(f"tracker: the consumer's settings are not what it takes: {error}\n")
        sys.exit(Exit.CONFIG)
    logs.configure(settings.log_format)
    # It tells of each failure by itself, at length; ours say it once, in a sentence.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    interpreter.look_for_cycles_seldom()
    interpreter.take_turns_often()
    from tracker.consume import work  # noqa: PLC0415 - behind the above: an eighth of a start

    uvloop.run(work.work(settings))


if __name__ == "__main__":
    main()
