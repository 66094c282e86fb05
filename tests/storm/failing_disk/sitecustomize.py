"""A disk that fails now and then, for every Python process that finds this module on its path.

What was written arrives, and the call fails all the same: of a failed fsync nobody knows what is on
the disk, and this is the crueller of the two cases, since the hit is there when it is written anew.
"""

import errno
import os
from itertools import count

EVERY = 9  # the first call fails, and each ninth after it

_calls = count()
_pwritev = os.pwritev


def pwritev(descriptor: int, buffers: list[bytes], offset: int, flags: int = 0) -> int:
    """Write, then fail in turn."""
    written = _pwritev(descriptor, buffers, offset, flags)
    if next(_calls) % EVERY == 0:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return written


os.pwritev = pwritev  # type: ignore[assignment]  # for the process that is to fail
