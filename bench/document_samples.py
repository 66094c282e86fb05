"""Documents of every kind, to train the dictionary on that the store packs them against.

In: a seed. Out: documents with the clients, places and message ids that occur in the field, names
drawn by lot. A change here changes the dictionary that is trained, and not the one in use.
"""

import random
import string
from typing import Any, Final

import msgspec

from tracker.event import (
    ClientInfo,
    Domain,
    Event,
    Geolocation,
    Kind,
    LinkInfo,
    Message,
    Verdict,
    encode,
)

# User agent, client-type, client-os, device-type, client-name; {} is a version.
CLIENTS: Final = (
    (
        12,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/{}.0.0.0 Safari/537.36",
        ("browser", "Windows", "desktop", "Chrome"),
    ),
    (
        4,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/{0}.0.0.0 Safari/537.36 Edg/{0}.0.0.0",
        ("browser", "Windows", "desktop", "Edge"),
    ),
    (
        6,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/{}.0.0.0 Safari/537.36",
        ("browser", "OS X", "desktop", "Chrome"),
    ),
    (
        9,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/{}.0.0.0 Mobile Safari/537.36",
        ("mobile browser", "Android", "mobile", "Chrome Mobile"),
    ),
    (
        14,
        "Mozilla/5.0 (iPhone; CPU iPhone OS {}_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
        " Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
        ("mobile browser", "iOS", "mobile", "Mobile Safari"),
    ),
    (
        10,
        "Mozilla/5.0 (iPhone; CPU iPhone OS {}_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
        " Gecko) Mobile/15E148",
        ("email client", "iOS", "mobile", "Apple Mail"),
    ),
    (
        5,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        ("email client", "OS X", "desktop", "Apple Mail"),
    ),
    (
        3,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
        ("browser", "Windows", "desktop", "Firefox"),
    ),
    (
        2,
        "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Thunderbird/{0}.1.0",
        ("email client", "Linux", "desktop", "Thunderbird"),
    ),
    (
        3,
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C;"
        " .NET4.0E; Microsoft Outlook 16.0.{}; ms-office; MSOffice 16)",
        ("email client", "Windows", "desktop", "Outlook"),
    ),
    (
        12,
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        ("email client", "unknown", "unknown", "Gmail Image Proxy"),
    ),
    (8, "Mozilla/5.0", ("email client", "unknown", "unknown", "Apple Mail Privacy Protection")),
    (
        3,
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        ("email client", "unknown", "unknown", "Yahoo Mail Proxy"),
    ),
    (2, "python-requests/2.{}.0", ("library", "unknown", "unknown", "python-requests")),
    (
        1,
        "Mozilla/5.0 (compatible; Scanner/{}.0; +https://scanner.example/about)",
        ("robot", "unknown", "unknown", "unknown"),
    ),
    (1, "", ("unknown", "unknown", "unknown", "unknown")),
)
PLACES: Final = (
    ("US", "California", "Los Angeles", "America/Los_Angeles"),
    ("US", "New York", "Brooklyn", "America/New_York"),
    ("US", "Illinois", "Chicago", "America/Chicago"),
    ("GB", "England", "London", "Europe/London"),
    ("DE", "Bavaria", "Munich", "Europe/Berlin"),
    ("FR", "Île-de-France", "Paris", "Europe/Paris"),
    ("ES", "Madrid", "Madrid", "Europe/Madrid"),
    ("NL", "South Holland", "Rotterdam", "Europe/Amsterdam"),
    ("IT", "Lombardy", "Milan", "Europe/Rome"),
    ("BR", "São Paulo", "São Paulo", "America/Sao_Paulo"),
    ("IN", "Maharashtra", "Mumbai", "Asia/Kolkata"),
    ("JP", "Tokyo", "Tokyo", "Asia/Tokyo"),
    ("AU", "New South Wales", "Sydney", "Australia/Sydney"),
    ("CA", "Ontario", "Toronto", "America/Toronto"),
    ("Unknown", "Unknown", "Unknown", ""),
)
PROVIDERS: Final = (
    *("gmail.com", "gmail.com", "gmail.com", "yahoo.com", "hotmail.com", "outlook.com"),
    *("icloud.com", "aol.com", "gmx.de", "web.de", "orange.fr", "libero.it", "mail.ru"),
)
LANGUAGES: Final = ("en-US,en;q=0.9", "en-GB,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR", "")
KINDS: Final[tuple[Kind, ...]] = ("opened", "clicked", "unsubscribed")
VERDICTS: Final = (
    *(Verdict(), Verdict(), Verdict()),
    Verdict(kind="proxy", reasons=["agent:Gmail Image Proxy"]),
    Verdict(kind="proxy", reasons=["network:Apple", "prefetch"]),
    Verdict(kind="machine", reasons=["network:Amazon", "before-sending"]),
    Verdict(kind="machine", reasons=["burst", "hidden-link"]),
)
WORDS: Final = ("news", "offer", "spring", "update", "weekly", "order", "account", "welcome")
SECONDS: Final = 1_700_000_000


class Documents:
    """Documents of all kinds, as chance will have it."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def some(self, number: int) -> list[bytes]:
        """Return so many."""
        kinds = (self._ours, self._delivery, self._complaint)
        return [self._chance.choices(kinds, (75, 24, 1))[0]() for _ in range(number)]

    def _ours(self) -> bytes:
        """Return what we track."""
        chance, domain, recipient = self._chance, self._domain(), self._recipient()
        weighed = [weight for weight, *_ in CLIENTS]
        _, agent, (kind, system, device, name) = chance.choices(CLIENTS, weighed)[0]
        *where, zone = chance.choice(PLACES)
        named = [f"{chance.choice(WORDS)}-{chance.randrange(99)}"]
        event = chance.choices(KINDS, (80, 17, 3))[0]
        link = LinkInfo(position=chance.randrange(30), name=chance.choice(("", *WORDS)))
        more: dict[str, Any] = {"url": self._url(), "link": link} if event == "clicked" else {}
        if chance.random() < 0.5:
            more["user_variables"] = {"customer": self._text(8), "test": "false"}
        return encode(
            Event(
                event=event,
                id=self._text(22),
                timestamp=self._time(),
                domain=Domain(name=domain),
                recipient=recipient,
                recipient_domain=recipient.partition("@")[2],
                ip=".".join(str(byte) for byte in chance.randbytes(4)),
                geolocation=Geolocation(*where, **({"timezone": zone} if zone else {})),
                client_info=ClientInfo(
                    *(kind, system, device, name),
                    user_agent=agent.format(chance.randrange(90, 150)),
                    bot=chance.choice(("", "", "", "gmail", "apple", "generic")),
                    accept_language=chance.choice(LANGUAGES),
                ),
                message=Message(headers={"message-id": self._message_id(domain)}),
                verdict=chance.choice(VERDICTS),
                tags=named[: chance.randrange(2)],
                campaigns=named[: chance.randrange(2)],
                **more,
            )
        )

    def _delivery(self) -> bytes:
        """Return what a mail server tells."""
        chance, domain, recipient = self._chance, self._domain(), self._recipient()
        event = chance.choices(("accepted", "delivered", "failed"), (45, 45, 10))[0]
        told: dict[str, Any] = {
            "event": event,
            "id": self._text(22),
            "timestamp": self._time(),
            "log-level": "info",
            "envelope": {
                "transport": "smtp",
                "sender": f"bounce@{domain}",
                "sending-ip": ".".join(str(byte) for byte in chance.randbytes(4)),
                "targets": recipient,
            },
            "flags": {
                "is-routed": False,
                "is-authenticated": True,
                "is-system-test": False,
                "is-test-mode": False,
            },
            "message": self._message(domain, recipient),
            "recipient": recipient,
            "recipient-domain": recipient.partition("@")[2],
            "domain": {"name": domain},
            "tags": [f"{chance.choice(WORDS)}-{chance.randrange(99)}"],
            "campaigns": [],
            "user-variables": {},
        }
        if event == "accepted":
            return msgspec.json.encode(told | {"method": "smtp"})
        permanent = chance.random() < 0.6
        code, enhanced, says = (
            (250, "", "OK")
            if event == "delivered"
            else chance.choice(
                (
                    (550, "5.1.1", "No such user"),
                    (552, "5.2.2", "Mailbox full"),
                    (421, "4.7.0", "Try again later"),
                )
            )
        )
        told["delivery-status"] = {
            "tls": True,
            "mx-host": f"mx{chance.randrange(1, 5)}.{recipient.partition('@')[2]}",
            "code": code,
            "description": "",
            "session-seconds": round(chance.random() * 3, 3),
            "utf8": True,
            "attempt-no": 1 + chance.randrange(3),
            "message": says,
            "enhanced-code": enhanced,
            "certificate-verified": True,
        }
        if event == "failed":
            told["severity"] = "permanent" if permanent else "temporary"
            told["reason"] = "bounce" if permanent else "generic"
            told["log-level"] = "error" if permanent else "warn"
        return msgspec.json.encode(told)

    def _complaint(self) -> bytes:
        domain, recipient = self._domain(), self._recipient()
        return msgspec.json.encode(
            {
                "event": "complained",
                "id": self._text(22),
                "timestamp": self._time(),
                "log-level": "warn",
                "recipient": recipient,
                "domain": {"name": domain},
                "tags": [],
                "campaigns": [],
                "user-variables": {},
                "flags": {"is-test-mode": False},
                "message": self._message(domain, recipient),
            }
        )

    def _message(self, domain: str, recipient: str) -> dict[str, Any]:
        return {
            "headers": {
                "to": recipient,
                "message-id": self._message_id(domain),
                "from": f"{self._word().title()} <hello@{domain}>",
                "subject": " ".join(self._word() for _ in range(5)),
            },
            "attachments": [],
            "size": self._chance.randrange(2_000, 90_000),
        }

    def _message_id(self, domain: str) -> str:
        digits = "".join(self._chance.choices(string.digits, k=14))
        left = self._chance.choice((f"{digits}.{self._text(9)}", self._text(24), digits))
        return f"{left}@{self._chance.choice((domain, f'mail.{domain}'))}"

    def _domain(self) -> str:
        ending = self._chance.choice(("com", "com", "com", "net", "org", "de", "co.uk", "io"))
        return f"{self._chance.choice(('', 'mail.', 'news.', 'mg.'))}{self._word()}.{ending}"

    def _recipient(self) -> str:
        chance = self._chance
        name = f"{self._word()}{chance.choice(('', '.', '_'))}{self._word()}{chance.randrange(99)}"
        own = f"{self._word()}.com"
        return f"{name}@{chance.choice((*PROVIDERS, own))}"

    def _url(self) -> str:
        site = f"https://{self._chance.choice(('www.', '', 'shop.'))}{self._word()}.com/"
        source = self._chance.choice(("", "?utm_source=newsletter&utm_medium=email"))
        return f"{site}{self._word()}/{self._text(7)}{source}"

    def _time(self) -> float:
        return SECONDS + self._chance.randrange(10**8) + self._chance.random()

    def _word(self) -> str:
        return "".join(self._chance.choices(string.ascii_lowercase, k=self._chance.randrange(3, 9)))

    def _text(self, length: int) -> str:
        return "".join(self._chance.choices(string.ascii_letters + string.digits, k=length))
