r"""NUL: the one character that JSON and forms may say, and that PostgreSQL's texts can't hold.

In: a text, or what JSON was read as. Out: where a NUL is in it. What people write has none, so
whoever sends one is told where rather than having it taken out.
"""

from typing import Any, Final

NUL: Final = "\0"
IN_JSON: Final = rb"\u0000"  # RFC 8259 §7: in no other spelling


def place_of_nul(value: Any) -> str | None:
    """Return where a value holds a NUL, like `$.message.recipients[0]`; None if nowhere.

    What stands under a name that holds one is at the name without it.
    """
    waiting = [("$", value)]
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, str) and NUL in found:
            return place
        if isinstance(found, list):
            waiting += [(f"{place}[{index}]", each) for index, each in enumerate(found)]
        if isinstance(found, dict):
            for name, each in found.items():
                its = f"{place}.{name.replace(NUL, '')}"
                waiting += [(its, name), (its, each)]
    return None
