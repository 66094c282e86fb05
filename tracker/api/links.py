"""Links to the API itself, as its clients reach it."""

from starlette.requests import Request


def origin(request: Request) -> str:
    """Return what links begin with: the public URL of the settings, else as the request came."""
    public: str = request.app.state.public_url
    return public or f"{request.url.scheme}://{request.url.netloc}"
