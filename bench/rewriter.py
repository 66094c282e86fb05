"""Measure the rewriter beside its peers, in turn in one run.

    python -m bench.rewriter [--rounds 9] [--corpus FOLDER]

The mail has 52 KB and 18 links, in the table layout that builders of newsletters send. Peers are
installed into build/bench/peers on first use: pytracking2, lxml, the Python bindings of lol-html.
Each round runs every contender once, so that what else the machine does falls on all alike; the
figures are the medians of the rounds, and the goals are ratios of them. `--corpus` adds the spread
over a folder of pages.
"""

import argparse
import html
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

from itsdangerous import URLSafeSerializer

from rewriter.config import Config
from rewriter.html.markup import scan
from rewriter.keyring import Keyring
from rewriter.links import Reference
from rewriter.rewriter import Rewriter
from rewriter.tokens import CLICK, Context

PEERS = Path("build/bench/peers")
PACKAGES = {"pytracking": "pytracking2", "lxml": "lxml", "lolhtml": "python-lolhtml"}
LINKS = 18
SIZE = 52_000  # bytes
# Mails whose links are all different: more than a rewriter remembers (2,048), so that by the time a
# mail comes round again its links are as good as never seen.
MAILS = 128

CELL = (
    '<tr><td align="left" valign="top" bgcolor="#ffffff" style="padding:0 24px 16px 24px;'
    "font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:22px;color:#3d3d3d;"
    'mso-line-height-rule:exactly">{}</td></tr>\n'
)
STORY = (
    CELL.format(
        '<img src="https://cdn.example.com/2026/spring/story-{n}.png" width="552" height="240"'
        ' alt="Story {n} &amp; more" style="display:block;width:100%;height:auto;border:0">'
    )
    + CELL.format("<strong>Story number {n}</strong><br>" + "What there is to say about it. " * 20)
    + CELL.format(
        '<a href="{href}" target="_blank" style="display:inline-block;padding:10px 18px;'
        'color:#ffffff;background-color:#0a66c2;border-radius:4px;text-decoration:none">Read on</a>'
    )
    + "<!-- story {n} -->\n"
)
URLS = (
    "https://www.example.com/?{n}",
    "https://shop.example.com/products/linen-shirt-{n}?variant=4{n}12&utm_source=newsletter",
    "https://www.example.com/blog/2026/04/how-we-made-the-linen-shirt-{n}/",
    "https://example.com/collections/spring?utm_source=newsletter&utm_medium=email"
    "&utm_campaign=spring-2026&utm_content=hero-{n}",
    "https://www.youtube.com/watch?v=dQw4w9WgX{n}Q",
    "https://maps.google.com/maps?q=Main+Street+{n},+Springfield",
)
ANN = Context(
    message_id="20260403081500.1.4F2A9C3B7D1E@mail.example.com",
    recipient="firstname.lastname@example.org",
    sending_domain="example.com",
    sent_at=1_790_000_000,
    tags=("newsletter", "spring26"),
    variables=(("user_id", "8492013"),),
)


def newsletter(links: int = LINKS, size: int = SIZE, *, first: int = 0) -> bytes:
    """Give a newsletter with so many links, numbered from `first`; other rows fill it up."""
    stories = [
        STORY.format(n=n, href=html.escape(URLS[n % len(URLS)].format(n=n)))
        for n in range(first, first + links)
    ]
    row = CELL.format("A row that holds no link, with <b>some</b> words and a picture beside it.")
    rows = (size - len("".join(stories))) // len(row)
    each = row * (rows // links)
    body = "".join(story + each for story in stories) + row * (rows % links)
    return (
        '<!doctype html><html><head><meta charset="utf-8"><title>News</title>'
        "<style>@media (max-width:600px){td{padding:0!important}}</style></head>"
        f'<body style="margin:0"><table width="100%">{body}</table></body></html>'
    ).encode()


def contenders(page: bytes) -> dict[str, Callable[[], object]]:
    """Give what is measured, by name: each call is one mail."""
    lolhtml, lxml = import_module("lolhtml"), import_module("lxml.html")
    adapt_html = import_module("pytracking.html").adapt_html
    keyring = Keyring.new()
    config = Config(tracking_domain="click.example.com")
    sender = Rewriter(config, keyring)
    template = sender.template(page)
    unseen = cycle([newsletter(first=number * LINKS) for number in range(1, MAILS + 1)])
    text = page.decode()
    tracked = import_module("pytracking").Configuration(
        base_open_tracking_url="https://click.example.com/o/",
        base_click_tracking_url="https://click.example.com/c/",
        encryption_bytestring_key=None,
    )
    metadata = {"recipient": ANN.recipient, "message": ANN.message_id, "tags": list(ANN.tags)}

    class Retarget:
        def element(self, element: Any) -> None:
            element.set_attribute("href", "https://click.example.com/c/token")

    def lol_html() -> list[Any]:
        out: list[Any] = []
        rewriter = lolhtml.HTMLRewriter(out.append)
        rewriter.on("a[href]", Retarget())
        rewriter.write(page)
        rewriter.end()
        return out

    return {
        "one mail, links seen before": lambda: sender.html(page, ANN),
        "one mail, links never seen": lambda: sender.html(next(unseen), ANN),
        "a new rewriter and its first mail": lambda: Rewriter(config, keyring).html(page, ANN),
        "compile a template": lambda: sender.template(page),
        "render a compiled template": lambda: template.render(ANN),
        "render with URLSafeSerializer": serializer_renderer(sender, page),
        "scan": lambda: scan(page),
        "lol-html, hrefs set": lol_html,
        "lxml, parse and serialise": partial(reserialised, lxml, page),
        "pytracking2": lambda: adapt_html(text, extra_metadata=metadata, configuration=tracked),
    }


def reserialised(lxml: Any, page: bytes) -> object:
    """Parse and serialise: what a rewriter on a tree does at the least."""
    return lxml.tostring(lxml.fromstring(page))


def serializer_renderer(sender: Rewriter, page: bytes) -> Callable[[], bytes]:
    """Give a renderer that splices a compiled page too, with tokens from URLSafeSerializer."""
    template = sender.template(page)
    serializer = URLSafeSerializer("secret" * 6, "click")
    urls = [link.destination for link in template.plan.links] + [""]
    context = {"m": ANN.message_id, "r": ANN.recipient, "t": ANN.tags, "v": dict(ANN.variables)}

    def render() -> bytes:
        pieces = list(template.pieces)
        for (place, *_), url in zip(template.gaps, urls, strict=True):
            pieces[place] = bytes(serializer.dumps({**context, "u": url}), "ascii")
        return b"".join(pieces)

    return render


def measure(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Run all in turn, round after round; give the median CPU time of one call, in microseconds.

    CPU time, since another process that takes the core away is nobody's merit.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            calls, begun = 0, time.process_time()
            while (spent := time.process_time() - begun) < 0.05:
                run()
                calls += 1
            taken[name].append(spent / calls * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def goals(took: dict[str, float]) -> list[tuple[str, float, float]]:
    """Give what is compared, the ratio that was measured, and the goal, which is 0 for none.

    Goals are for the mails of a campaign, whose links return; new links are shown beside them.
    """
    again = took["one mail, links seen before"]
    unseen = took["one mail, links never seen"]
    render, scanned = took["render a compiled template"], took["scan"]
    pytracking, lxml = took["pytracking2"], took["lxml, parse and serialise"]
    return [
        ("one mail, against pytracking2", pytracking / again, 5),
        ("the same, links never seen", pytracking / unseen, 0),
        ("one mail, against lxml's parse and serialise", lxml / again, 1.5),
        ("the same, links never seen", lxml / unseen, 0),
        ("render, against our own parse and render", again / render, 6),
        ("render, against URLSafeSerializer", took["render with URLSafeSerializer"] / render, 6),
        ("render, against pytracking2", pytracking / render, 40),
        ("scan, against lol-html", took["lol-html, hrefs set"] / scanned, 0.4),
    ]


def token_sizes() -> tuple[float, float]:
    """Give the mean length of URLs and of their tokens, in characters."""
    sender = Rewriter(Config(tracking_domain="click.example.com"), Keyring.new())
    tokens = sender.policy.tokens
    urls = [url.format(n=n) for n in range(10) for url in URLS]
    frames = [
        sender.policy.decide(Reference(url, position)).link_frame
        for position, url in enumerate(urls, 1)
    ]
    context = tokens.seal_context(ANN)
    made = [len(tokens.mint(CLICK, frame, context)) for frame in frames]
    return statistics.mean(map(len, urls)), statistics.mean(made)


def spread(folder: Path) -> list[float]:
    """Give for each page of a folder how much faster one mail is than lxml, sorted."""
    lxml = import_module("lxml.html")
    refused = (
        import_module("lxml.etree").ParserError,
        ValueError,
    )  # an empty page; text that says XML
    ratios = []
    for path in sorted(folder.rglob("*.htm*")):
        page = path.read_bytes()
        sender = Rewriter(Config(tracking_domain="click.example.com"), Keyring.new())
        runs: dict[str, Callable[[], object]] = {
            "ours": partial(sender.html, page, ANN),
            "lxml": partial(reserialised, lxml, page),
        }
        try:
            took = measure(runs, 1)
        except refused:
            continue
        ratios.append(took["lxml"] / took["ours"])
    return sorted(ratios)


def install_peers() -> None:
    """Install the peers that are missing; they are no part of the project's own lock."""
    sys.path.append(str(PEERS))
    missing = [package for module, package in PACKAGES.items() if not find_spec(module)]
    if missing:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(PEERS)]
        subprocess.run([*command, *missing], check=True)
        invalidate_caches()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and tell by the exit status whether every goal was met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--corpus", type=Path, help="a folder of pages")
    chosen = parser.parse_args(arguments)
    install_peers()
    page = newsletter()
    took = measure(contenders(page), chosen.rounds)
    print(f"{len(page)} bytes, {LINKS} links; median CPU time of {chosen.rounds} rounds")
    for name, microseconds in took.items():
        print(f"  {name:34} {microseconds:9.1f} us {len(page) / microseconds:8.1f} MB/s")
    met = True
    for name, ratio, wanted in goals(took):
        met = met and ratio >= wanted
        goal = f"of {wanted}" + ("" if ratio >= wanted else ": missed") if wanted else ""
        print(f"  {name:46} {ratio:6.2f} {goal}")
    urls, tokens = token_sizes()
    met = met and tokens <= 220
    print(
        f"  a token: {tokens:.0f} characters on average, of at most 220; the URLs have {urls:.0f}"
    )
    if chosen.corpus and (ratios := spread(chosen.corpus)):
        low, middle, high = (ratios[int(len(ratios) * share)] for share in (0.05, 0.5, 0.95))
        print(
            f"  {len(ratios)} pages: {low:.2f}, {middle:.2f}, {high:.2f} times lxml (5, 50, 95 %)"
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
