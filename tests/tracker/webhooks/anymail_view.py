"""A Django application with Anymail, in one file: posts to its Mailgun view, and prints signals.

python anymail_view.py KEY < requests.json
"""

import json
import sys
from typing import Any

import django
from django.conf import settings

VIEW = "/anymail/mailgun/tracking/"
TOLD = ("event_type", "recipient", "click_url", "reject_reason", "event_id")


def main(key: str) -> None:
    """Post each request; print what the view answered and what signal it sent."""
    settings.configure(
        SECRET_KEY="of a test",
        ROOT_URLCONF="anymail_view",
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["anymail"],
        ANYMAIL={"MAILGUN_WEBHOOK_SIGNING_KEY": key},
        LOGGING_CONFIG=None,
    )
    django.setup()
    from anymail.signals import tracking  # noqa: PLC0415 - once Django is set up
    from django.test import Client  # noqa: PLC0415 - likewise

    signals: list[dict[str, Any]] = []

    def hear(event: Any, **_: Any) -> None:
        signals.append({name: getattr(event, name) for name in TOLD})

    tracking.connect(hear, weak=False)
    answers = []
    for request in json.load(sys.stdin):
        signals.clear()
        answer = Client().post(VIEW, request["body"], content_type=request["type"])
        signal = signals[0] if signals else None
        answers.append({"status": answer.status_code, "signal": signal})
    json.dump(answers, sys.stdout)


def _urls() -> list[Any]:
    from django.urls import include, path  # noqa: PLC0415 - likewise

    return [path("anymail/", include("anymail.urls"))]


if __name__ == "__main__":
    main(*sys.argv[1:])
else:
    urlpatterns = _urls()
