"""A URL as people may see it: in messages, in logs and on the screen.

Pure. Promise: no password is in it, wherever the URL had one.
"""

from urllib.parse import urlsplit, urlunsplit


def masked(url: str) -> str:
    """Return a URL without its password, and without parameters, any of which may be one."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))
