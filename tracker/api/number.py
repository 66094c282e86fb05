"""Numbers that clients give: within their bounds, or refused by name."""

from starlette.requests import Request

from tracker.api.answer import Refused


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a query parameter, `default` where it isn't given. Raises Refused."""
    text = request.query_params.get(name)
    return default if text is None else whole(text, name, least, most)


def whole(text: str, name: str, least: int, most: int) -> int:
    """Read a number. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Refused(f"`{name}` is a number from {least} to {most}")
    return int(text)
