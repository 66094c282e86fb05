"""How logs look: one line an event, on standard error, for a person or for a machine."""

import sys
from typing import Literal

import structlog

Form = Literal["json", "text"]


def form(chosen: Literal["auto", "json", "text"]) -> Form:
    """Decide what `auto` means: text where a person is looking."""
    if chosen == "auto":
        return "text" if sys.stderr.isatty() else "json"
    return chosen


def configure(form: Form) -> None:
    """Set up structlog for this process."""
    render = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "text"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
