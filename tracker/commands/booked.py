"""The ledger as commands use it, beside a back office that runs or without one."""

import contextlib
import difflib
from collections.abc import Collection, Iterator

from tracker import folder
from tracker.forwarding import ledger
from tracker.forwarding.ledger import Ledger, LedgerUnavailable
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings


@contextlib.contextmanager
def booked(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger. Raises Mistake where there is none that can be worked with."""
    path = settings.data / ledger.FILE
    if not path.exists():
        raise Mistake(f"there is no {path}: no back office has run there yet", Exit.NO_INPUT)
    try:
        with contextlib.closing(Ledger.open(path)) as opened:
            yield opened
    except LedgerUnavailable as error:
        raise Mistake(str(error), Exit.DATA) from error


def running(settings: Settings) -> bool:
    """Tell whether a back office works on the data folder. Raises Mistake."""
    try:
        with folder.locked(settings.data):
            return False
    except Mistake as mistake:
        if mistake.status is Exit.UNAVAILABLE:
            return True
        raise


def known(name: str, names: Collection[str]) -> Mistake:
    """Say that there is no such sink, and which there are."""
    close = difflib.get_close_matches(name, names, 1)
    near = f"; did you mean {close[0]}?" if close else ""
    verb = "is" if len(names) == 1 else "are"
    there = f"there {verb} {', '.join(sorted(names)) or 'none'}"
    return Mistake(f"there is no sink '{name}': {there}{near}", Exit.USAGE)
