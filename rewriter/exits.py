"""Exit statuses of the commands, as in sysexits.h, which mail systems know how to read."""

from typing import Final

OK: Final = 0
USAGE: Final = 64
"""The command line can't be understood."""
DATA: Final = 65
"""The message can't be rewritten as asked, and `--strict` was given."""
NO_INPUT: Final = 66
"""A file to read isn't there."""
UNAVAILABLE: Final = 69
"""An optional package isn't installed."""
SOFTWARE: Final = 70
"""A fault of the rewriter's own."""
IO: Final = 74
"""What came out could not be written."""
CONFIG: Final = 78
"""A setting is unknown or not what it may be, or the keyring can't be used."""
