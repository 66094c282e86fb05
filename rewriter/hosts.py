"""Hosts of http and https URLs, as a browser writes them.

In: what stands between the credentials and the port. Out: a domain in lower-case ASCII, or an
address in its canonical form (URL Standard §3.5, §3.6). Raises `InvalidHost`.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import unquote

# URL Standard §3.2: forbidden domain code points.
_FORBIDDEN = re.compile(r"[\x00- #%/:<>?@\[\\\]^|\x7f]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_ZEROS = re.compile(r"(?:^|:)0(?::0)+(?=:|$)")
_PUNYCODE: Final = "xn--"


class InvalidHost(ValueError):
    """No browser would look this host up."""


def parse_host(host: str) -> str:
    """Give the host as it is requested. Raises `InvalidHost`."""
    if host.startswith("["):
        return _ipv6(host)
    domain = unquote(host, "utf-8", "replace") if "%" in host else host
    domain = domain.lower() if domain.isascii() else _mapped(domain)
    if _PUNYCODE in domain:
        _check_punycode(domain)
    if not domain or _FORBIDDEN.search(domain):
        raise InvalidHost(host)
    labels = domain.removesuffix(".").split(".")
    return _ipv4(labels, host) if _NUMBER.fullmatch(labels[-1]) else domain


def _mapped(domain: str) -> str:
    """Map a domain as UTS #46 does, without its checks of hyphens and length (§3.3)."""
    import idna  # noqa: PLC0415 - its tables are large, and such hosts are rare

    try:
        labels = idna.uts46_remap(domain, std3_rules=False).split(".")
        for label in labels:
            joiners = [at for at, letter in enumerate(label) if letter in "\u200c\u200d"]
            if not all(idna.valid_contextj(label, at) for at in joiners):
                raise InvalidHost(domain)
        return ".".join(map(_punycode, labels))
    except (idna.IDNAError, ValueError) as error:
        raise InvalidHost(domain) from error


def _punycode(label: str) -> str:
    if label.isascii():
        return label
    if label.startswith(_PUNYCODE):
        raise InvalidHost(label)
    return _PUNYCODE + label.encode("punycode").decode("ascii")


def _check_punycode(domain: str) -> None:
    for label in domain.split("."):
        if label.startswith(_PUNYCODE):
            try:
                label.removeprefix(_PUNYCODE).encode("ascii").decode("punycode")
            except UnicodeError as error:
                raise InvalidHost(domain) from error


def _ipv4(labels: list[str], host: str) -> str:
    """Read one to four decimal, octal or hexadecimal numbers; the last one fills up (§3.5)."""
    try:
        numbers = [_number(label) for label in labels]
    except ValueError as error:
        raise InvalidHost(host) from error
    *heads, last = numbers
    if (
        len(numbers) > 4
        or any(number > 255 for number in heads)
        or last >= 256 ** (5 - len(numbers))
    ):
        raise InvalidHost(host)
    value = last + sum(number << (8 * (3 - place)) for place, number in enumerate(heads))
    return str(IPv4Address(value))


def _number(label: str) -> int:
    if not _NUMBER.fullmatch(label) or len(label) > 40:
        raise ValueError(label)
    if label[:2].lower() == "0x":
        return int(label[2:] or "0", 16)
    return int(label, 8 if len(label) > 1 and label[0] == "0" else 10)


def _ipv6(host: str) -> str:
    if not host.endswith("]") or "%" in host:
        raise InvalidHost(host)
    try:
        address = int(IPv6Address(host[1:-1]))
    except AddressValueError as error:
        raise InvalidHost(host) from error
    # Always hexadecimal (§3.5), where Python may write an IPv4 address into it.
    text = ":".join(f"{address >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    longest = max(_ZEROS.finditer(text), key=lambda run: len(run[0].strip(":")), default=None)
    if longest:
        text = text[: longest.start()] + "::" + text[longest.end() :].removeprefix(":")
    return f"[{text}]"
