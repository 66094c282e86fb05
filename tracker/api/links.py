"""Links to the API itself, as its clients reach it."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request


class Paging(msgspec.Struct, frozen=True):
    """The links to the pages of a list whose order is that of its names."""

    first: str
    next: str
    previous: str
    last: str


def origin(request: Request) -> str:
    """Return what links begin with: the public URL of the settings, else as the request came."""
    public: str = request.app.state.public_url
    return public or f"{request.url.scheme}://{request.url.netloc}"


def listing(request: Request, name: str) -> str:
    """Return where a sending domain's list is."""
    return f"{origin(request)}/v3/{quote(request.path_params['domain'], safe='')}/{name}"


def around(here: str, beside: str, ends: tuple[str, str], given: Mapping[str, str]) -> Paging:
    """Return the links of a page that begins and `ends` with these names.

    `beside` is the parameter with the name that another page is beside; what is `given` and not
    empty stays as it is.
    """
    kept = {name: value for name, value in given.items() if value}

    def link(page: str, **pivot: str) -> str:
        return f"{here}?{urlencode({'page': page} | pivot | kept)}"

    first, last = ends
    return Paging(
        link("first"),
        link("next", **{beside: last}),
        link("previous", **{beside: first}),
        link("last"),
    )
