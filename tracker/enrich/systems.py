"""Operating systems, in Mailgun's words.

In: a User-Agent and the family that the parser finds in it. Out: the system's name, or "unknown".
"""

import re
from typing import Final

# The parser's words, where the field has others. Mailgun names no Linux distribution.
NAMES: Final = {
    "Mac OS X": "OS X",
    "macOS": "OS X",
    "iPadOS": "iOS",
    "ATV OS X": "tvOS",
    "ChromeOS": "Chrome OS",
    "Web0S": "webOS",
    "WatchOS": "watchOS",
} | dict.fromkeys(
    (
        "Arch Linux",
        "CentOS",
        "Debian",
        "Fedora",
        "Gentoo",
        "Kubuntu",
        "Linux Mint",
        "Mageia",
        "Mandriva",
        "Mint",
        "PCLinuxOS",
        "Puppy",
        "Red Hat",
        "SUSE",
        "Slackware",
        "Ubuntu",
        "VectorLinux",
        "openSUSE",
        "Chromecast Linux",
    ),
    "Linux",
)
# For agents that the parser has no pattern for, such as Office's apps: the first that has one of
# its words in them, in whatever case. First those whose browsers claim a Macintosh.
WORDS: Final = {
    "AmigaOS": ("amigaos",),
    "AROS": ("aros",),
    "BeOS": ("beos",),
    "Haiku": ("haiku",),
    "MorphOS": ("morphos",),
    "watchOS": ("watchos", "apple watch"),
    "tvOS": ("tvos",),
    "iOS": ("iphone", "ipad", "fbios", " ios", "(ios"),
    "HarmonyOS": ("harmony",),
    "KaiOS": ("kaios",),
    "Android": ("android", "fb4a", "omdroid", "fire os"),
    "OS X": ("mac os", "macos", "macintosh", "mac_powerpc", "os=mac"),
    "Windows": ("windows", "winnt", "win32", "win64", "win9"),
    "Symbian OS": ("symbian",),
    "Palm OS": ("palmos", "palm os"),
    "PlayStation": ("playstation",),
    "Nintendo": ("nintendo",),
    "Roku": ("roku",),
    "Linux": ("linux",),
    "AIX": ("aix",),
    "Fuchsia": ("fuchsia",),
    "HP-UX": ("hp-ux",),
    "IRIX": ("irix",),
    "OpenVMS": ("openvms",),
    "OS/2": ("os/2",),
    "Plan 9": ("plan 9",),
    "QNX": ("qnx",),
    "RISC OS": ("risc os",),
    "Solaris": ("solaris", "sunos"),
    "Syllable": ("syllable",),
}
PHONES: Final = frozenset(("Android", "KaiOS", "iOS"))
DESKTOPS: Final = frozenset(
    (
        *("Windows", "OS X", "Linux", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD", "Solaris"),
        *("AmigaOS", "AROS", "BeOS", "Haiku", "IRIX", "MorphOS", "OpenVMS", "OS/2", "RISC OS"),
    )
)
# Apple's library on a Mac; the parser tells systems by the library's version, which iOS shares.
DESKTOP_NETWORK: Final = re.compile(
    r"CFNetwork/(?:macOS/|.*\((?:x86_64|i386|Power))|Darwin/.*\(?(?:iMac|Mac[BPm])"
    r"|^Safari\S* CFNetwork/"  # on a phone it is MobileSafari
)


def system_of(agent: str, family: str) -> str:
    """Return the system of an agent in which the parser finds this family, "Other" for none."""
    if "Darwin/" in agent and DESKTOP_NETWORK.search(agent):
        return "OS X"
    if family != "Other":
        return NAMES.get(family, family)
    said = agent.lower()
    known = (name for name, words in WORDS.items() if any(word in said for word in words))
    return next(known, "unknown")
