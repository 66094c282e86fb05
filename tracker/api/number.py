"""Numbers in a query: within their bounds, or refused by name."""

from starlette.requests import Request

from tracker.api.answer import Refused


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a query parameter, `default` where it isn't given. Raises Refused."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Refused(f"`{name}` is a number from {least} to {most}")
    return int(text)
