"""A size in bytes, as people write it: `100MB` in, 100000000 out, and the other way round."""

import re
from typing import Final

UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_WRITTEN: Final = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([a-zA-Z]{0,3})", re.ASCII)
SHOWN: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def size(text: str) -> int:
    """Read `500`, `100MB`, `1.5 GB` or `64MiB`. Raises ValueError."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or (unit := UNITS.get(found[2].lower())) is None:
        raise ValueError("should be a size such as 100MB or 10GB")
    return round(float(found[1]) * unit)


def shown(number: float) -> str:
    """Write a number of bytes so that a person can compare it: `0 bytes`, `9.4 kB`, `120 MB`."""
    for unit, scale in SHOWN:
        if number >= scale:
            scaled = number / scale
            figure = f"{scaled:.1f}".removesuffix(".0") if scaled < 10 else f"{scaled:.0f}"
            return f"{figure} {unit}"
    return "1 byte" if number == 1 else f"{number:.0f} bytes"


def written(number: int) -> str:
    """Write a number of bytes exactly, as `size` reads it: `1GB`, `0`, `1025`."""
    for unit, scale in SHOWN:
        if number and number % scale == 0:
            return f"{number // scale}{unit}"
    return str(number)
