"""What a User-Agent says, in Mailgun's vocabulary."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.enrich.world import APPLE_MAIL, CHROME, CLIENTS, GMAIL_PROXY, IPHONE, OUTLOOK
from tracker.enrich.tables import ClientType, Device

ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
)
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"

AGENTS = [
    # Mailgun's own samples.
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 6_1 like Mac OS X) AppleWebKit/536.26 "
        "(KHTML, like Gecko) Mobile/10B143",
        "mobile browser, iOS, mobile, Mobile Safari",
    ),
    (
        f"Mozilla/5.0 (X11; Linux i686) {KHTML} Ubuntu Chromium/28.0.1500.71 "
        "Chrome/28.0.1500.71 Safari/537.36",
        "browser, Linux, desktop, Chromium",
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8_4) {KHTML} Chrome/28.0.1500.95 Safari/537.36",
        "browser, OS X, desktop, Chrome",
    ),
    # Browsers.
    (CHROME, "browser, Windows, desktop, Chrome"),
    (IPHONE, "mobile browser, iOS, mobile, Mobile Safari"),
    (
        ANDROID.format("K") + " Mobile Safari/537.36",
        "mobile browser, Android, mobile, Chrome Mobile",
    ),
    (ANDROID.format("SM-X710") + " Safari/537.36", "mobile browser, Android, tablet, Chrome"),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) CriOS/120.0 Mobile/15E148 Safari/604.1",
        "mobile browser, iOS, mobile, Chrome Mobile",
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/15.0 Mobile/15E148 Safari/604.1",
        "mobile browser, iOS, tablet, Mobile Safari",
    ),
    (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "browser, Linux, desktop, Firefox",
    ),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KHTML} Chrome/141.0.0.0 Safari/537.36",
        "browser, Chrome OS, desktop, Chrome",
    ),
    # Mail clients.
    (APPLE_MAIL, "email client, OS X, desktop, Apple Mail"),
    ("Mail/3731.600.7 CFNetwork/1408.0.4 Darwin/22.5.0", "email client, iOS, mobile, Apple Mail"),
    (OUTLOOK, "email client, Windows, desktop, Outlook"),
    (
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.12026; Pro)",
        "email client, Windows, desktop, Outlook",
    ),
    (
        "MacOutlook/16.16.7.190210 (Intelx64 Mac OS X Version 10.14.3 (Build 18D109))",
        "email client, OS X, desktop, Outlook",
    ),
    ("Outlook-iOS/709.2226530.prod.iphone (3.24.1)", "email client, iOS, mobile, Outlook"),
    ("Outlook-Android/2.0", "email client, Android, mobile, Outlook"),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0",
        "email client, Linux, desktop, Thunderbird",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Thunderbird/128.5",
        "email client, OS X, desktop, Thunderbird",
    ),
    (
        "Mozilla/4.0 (compatible; Lotus-Notes/6.0; Windows-NT)",
        "email client, Windows, desktop, Lotus Notes",
    ),
    (
        "Airmail 1.3.3 rv:237 (Macintosh; Mac OS X 10.9.3; en_GB)",
        "email client, OS X, desktop, Airmail",
    ),
    ("The Bat! 4.0.0.22", "email client, Windows, desktop, The Bat!"),
    ("Postbox 1.0b14 (Windows/2009072715)", "email client, Windows, desktop, Postbox"),
    (
        "Mozilla/5.0 (X11; U; Linux x86_64; en-us) AppleWebKit/538.15 (KHTML, like Gecko) "
        "Version/8.0 Safari/538.15 Evolution/3.12.9",
        "email client, Linux, desktop, Evolution",
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KHTML} Mailspring/1.9 "
        "Chrome/83.0 Electron/9.0 Safari/537.36",
        "email client, OS X, desktop, Mailspring",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; WOW64) {KHTML} Mailbird/2.9.43 Chrome/94.0 Safari/537.36",
        "email client, Windows, desktop, Mailbird",
    ),
    ("YahooMobileMail/1.0 (Android Mail; 1.4.6)", "email client, Android, mobile, Yahoo Mail"),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KHTML} Superhuman Chrome/100.0 "
        "Electron/18.0 Safari/537.36",
        "email client, OS X, desktop, Superhuman",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 12_2 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Mobile/15E148 YahooMobile/1.0 (mail; 4.0.0)",
        "email client, iOS, mobile, Yahoo Mail",
    ),
    ("Spark/2.9.25.847 CFNetwork/1240.0.4 Darwin/20.6.0", "email client, iOS, mobile, Spark"),
    ("Mutt/1.14 (2020-06-14)", "email client, Linux, desktop, Mutt"),
    ("Alpine/2.26 (Linux; x86_64)", "email client, Linux, desktop, Alpine"),
    (CHROME + " foxmail/7.2.25", "email client, Windows, desktop, Foxmail"),
    ("Roundcube Webmail/1.6.9", "email client, unknown, unknown, Roundcube"),
    (
        "YahooMobileMessenger/1.0 (Android Mail; 1.4.5) (phone; maker; phone; 2.3.6/BREAD)",
        "email client, Android, mobile, Yahoo Mail",
    ),
    ("Android/14-EMAIL", "email client, Android, mobile, Android"),
    # A suite with a calendar is a browser with a calendar.
    (
        "Mozilla/5.0 (Windows NT 6.1; rv:1.9) Gecko/20100428 Lightning/1.0b1 SeaMonkey/2.0.4",
        "browser, Windows, desktop, SeaMonkey",
    ),
    # Proxies: what they pretend to be is not the reader's.
    (GMAIL_PROXY, "email client, unknown, unknown, Gmail Image Proxy"),
    (
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "email client, unknown, unknown, Yahoo Mail Proxy",
    ),
    # Robots and libraries.
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "robot, unknown, unknown, Googlebot",
    ),
    ("Barracuda Sentinel (EE)", "robot, unknown, unknown, Barracuda Sentinel"),
    ("Microsoft Office Existence Discovery", "robot, unknown, unknown, Microsoft Office"),
    (
        "Example-Link-Checker/1.0 (+https://example.com)",
        "robot, unknown, unknown, Example-Link-Checker",
    ),
    ("python-requests/2.32.3", "library, unknown, unknown, Python Requests"),
    ("curl/8.5.0", "library, unknown, unknown, curl"),
    ("python-urllib3/2.2.3", "library, unknown, unknown, python-urllib3"),
    ("Java-http-client/21.0.4", "library, unknown, unknown, Java-http-client"),
    ("shop-okhttp4/4.12.0", "library, Android, unknown, okhttp"),
    (
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621",
        "library, Windows, desktop, WindowsPowerShell",
    ),
    (
        "Nokia6820/2.0 (4.83) (compatible; Examplebot-Mobile/1.0; +http://www.example.com/bot)",
        "robot, unknown, mobile, Examplebot",
    ),
    (CHROME + " ExampleMonitor/2.0", "robot, Windows, desktop, Chrome"),
    ("Mozilla/5.0 (lab@example.com)", "robot, unknown, unknown, unknown"),
    ("https://example.com/", "robot, unknown, mobile, unknown"),
    # Phones that only sound like robots.
    (
        ANDROID.format("CUBOT KINGKONG 9") + " Mobile Safari/537.36",
        "mobile browser, Android, mobile, Chrome Mobile",
    ),
    (
        ANDROID.format("M bot 54") + " Mobile Safari/537.36",
        "mobile browser, Android, mobile, Chrome Mobile",
    ),
    (
        f"Mozilla/5.0 (X11; Linux x86_64; openSUSE 13.1 (Bottle) (x86_64)) {KHTML} "
        "Chrome/33.0.1750.0 Safari/537.36",
        "browser, Linux, desktop, Chrome",
    ),
    (
        "Mozilla/5.0 (compatible; iCab 3.0.3; Macintosh; U; PPC Mac OS)",
        "browser, OS X, desktop, iCab",
    ),
    ("Surf/0.4.1 (X11; U; Unix; en-US) AppleWebKit/531.2+", "browser, unknown, desktop, Surf"),
    ("Postmoose/3.1", "robot, unknown, unknown, Postmoose"),
    # People with unusual browsers, and inside of apps.
    ("Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1", "browser, unknown, desktop, Lynx"),
    ("ELinks/0.13 (textmode; Linux; 80x25-2)", "browser, Linux, desktop, ELinks"),
    ("w3m/0.5.3+git20230121", "browser, unknown, desktop, w3m"),
    ("IBM WebExplorer DLL /v1.1", "browser, unknown, desktop, IBM"),
    ("NOKIAE5-00", "mobile browser, unknown, mobile, unknown"),
    ("Roku4640X/DVP-7.70 (297.70E04154A)", "browser, Roku, other, Roku4640X"),
    (
        "Mozilla/5.0 (PlayStation 4 1.000) AppleWebKit/536.26 (KHTML, like Gecko)",
        "browser, PlayStation, other, unknown",
    ),
    (
        "Mozilla/5.0 (Macintosh; PowerPC MorphOS 3.7; Odyssey Web Browser) AppleWebKit/538.1 "
        "(KHTML, like Gecko) OWB/1.23 Safari/538.1",
        "browser, MorphOS, desktop, Safari",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KHTML} WhatsApp/2.2017.6 Chrome/76.0 "
        "Electron/6.1.9 Safari/537.36",
        "browser, Windows, desktop, WhatsApp",
    ),
    (
        f"Mozilla/5.0 (PC; HarmonyOS 5.0) {KHTML} Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6",
        "browser, HarmonyOS, other, Chrome",
    ),
    (
        f"Mozilla/5.0 (Phone; OpenHarmony 5.0) {KHTML} Chrome/114.0.0.0 Safari/537.36 Mobile",
        "mobile browser, HarmonyOS, mobile, Chrome",
    ),
    (
        "[FBAN/FB4A;FBAV/26.0.0.22;FBLC/en_US;FBMF/Sony]",
        "mobile browser, Android, mobile, Facebook",
    ),
    (
        "Safari%20Technology%20Preview/15610.1 CFNetwork/1126 Darwin/19.5.0",
        "browser, OS X, desktop, Safari",
    ),
    ("SIE-S40/2.3 UP/4.1.16r", "mobile browser, unknown, mobile, unknown"),
    (
        "Dalvik/2.1.0 (Linux; U; Android 13; SM-A536B Build/TP1A.220624.014)",
        "mobile browser, Android, mobile, Android",
    ),
    (
        f"Mozilla/5.0 (Windows NT 6.1) {KHTML} coc_coc_browser/50.0 Chrome/44.0.2403 Safari/537.36",
        "browser, Windows, desktop, Coc Coc",
    ),
    (
        ANDROID.format("SM-N981U; wv") + " Mobile Safari/537.36 Blackboard",
        "mobile browser, Android, mobile, Chrome Mobile",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KHTML} Notion/2.0.8 Chrome/76.0.3809.146 "
        "Electron/6.1.5 Safari/537.36",
        "browser, Windows, desktop, Electron",
    ),
    (
        "Mail/3273 CFNetwork/811.5.4 Darwin/16.6.0 (x86_64)",
        "email client, OS X, desktop, Apple Mail",
    ),
    # Feed readers.
    (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.21 (KHTML, like Gecko) akregator/4.11.5 "
        "Safari/537.21",
        "feed reader, Linux, desktop, Safari",
    ),
    ("FeedFlow/1 CFNetwork/3860.300.31 Darwin/25.2.0", "feed reader, iOS, mobile, FeedFlow"),
    # Nothing to go by, but perhaps a reader.
    ("DoCoMo/2.0 MST_v_SH2101V", "mobile browser, unknown, mobile, unknown"),
    ("nook browser/1.0", "browser, unknown, unknown, unknown"),
    (
        "Mozilla/5.0 (Windows NT 6.1; rv:2.0) Gecko/20110515 Seabright/2.4",
        "browser, Windows, desktop, unknown",
    ),
    ("", "unknown, unknown, unknown, unknown"),
    ("Mozilla/5.0", "unknown, unknown, unknown, unknown"),
]


@pytest.mark.parametrize(("agent", "expected"), AGENTS)
def test_a_client_is_called_what_mailguns_users_know_it_by(agent: str, expected: str) -> None:
    client = CLIENTS.of(agent)

    assert f"{client.type}, {client.os}, {client.device}, {client.name}" == expected


@given(st.text(max_size=200) | st.from_regex(r"Mozilla/5\.0 \([ -~]{0,40}\)[ -~]{0,40}"))
def test_whatever_a_request_says_of_itself_the_answer_stays_in_the_vocabulary(agent: str) -> None:
    client = CLIENTS.of(agent)

    assert client.type in get_args(ClientType)
    assert client.device in get_args(Device)
    assert client.os
