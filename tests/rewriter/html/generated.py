"""Pages as mail has them: some written by hand after what builders of mail send, more put together.

The hand-written ones, in the folder `pages`, imitate a table layout with Outlook's conditional
comments and VML buttons, a responsive layout, Word's output, plain fragments, and sloppy markup.
"""

from pathlib import Path

from hypothesis import strategies as st

PAGES = tuple(
    path.read_bytes().decode() for path in sorted((Path(__file__).parent / "pages").iterdir())
)

_INLINE = (
    '<a href="https://example.com/?a=1&amp;b=2">a</a>',
    "<a href='//example.com/ü?ü=ß'>a</a>",
    "<A HREF=https://EXAMPLE.com/x/>a</A>",
    '<a href="https://example.com/&sect=1&copy;">a</a>',
    "<a href=mailto:a@example.org>a</a>",
    "<a href='{{url}}'>a</a>",
    "<a name=x>a</a>",
    "<b>bold</b>",
    "<img src=a.png>",
    "<br>",
    "text & more",
    " \n",
    "<!-- <a href='https://example.com/'> -->",
    "<!--[if mso]><v:rect href='https://example.com/vml'></v:rect><![endif]-->",
    "<svg><a href='https://example.com/svg'></a><g/></svg>",
    "<math><mi>x</mi></math>",
    "<span title='<a href=\"https://example.com/\">'>s</span>",
    "<noscript><a href=https://example.com/>a</a></noscript>",
    "<textarea><a href=https://example.com/></textarea>",
)
_BLOCKS = ("<p>{}</p>", "<div class=x>{}</div>", "<table><tr><td>{}</td></tr></table>", "{}")
_DOCUMENTS = (
    "{}",
    "<body>{}</body>",
    "<!doctype html><html><head><title>x</title></head><body>{}\n</body></html>\n",
    "<html>{}</html>",
)


def pages() -> st.SearchStrategy[str]:
    """Give pages: one of those above, or blocks of inline markup in a document or without one."""
    inline = st.lists(st.sampled_from(_INLINE), max_size=4).map("".join)
    block = st.builds(str.format, st.sampled_from(_BLOCKS), inline)
    body = st.lists(block, max_size=4).map("".join)
    return st.sampled_from(PAGES) | st.builds(
        str.replace, st.sampled_from(_DOCUMENTS), st.just("{}"), body
    )
