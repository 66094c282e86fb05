"""How documents were packed before zstd: deflated against a dictionary. They are still read.

A dictionary stands in for what most documents say (RFC 1950 §2.2, FDICT). It never changes: a
store holds what was deflated against it, until retention takes that.
"""

import zlib
from typing import Final

RAW: Final = -12  # a window of 4 KiB, no header

# The commonest last: deflate writes a near match in fewer bits than a far one.
DICTIONARY: Final = b"".join(
    (
        b'{"event":"failed","severity":"permanent","reason":"generic","log-level":"error",',
        b'"severity":"temporary","reason":"suppress-bounce","log-level":"warn","delivery-status":',
        b'{"attempt-no":1,"message":"","code":550,"description":"","enhanced-code":"5.1.1",',
        b'"session-seconds":0.0,"retry-seconds":600,"tls":true,"mx-host":"mx.","utf8":true,',
        b'"certificate-verified":true,"message":"OK"},"envelope":{"transport":"smtp","sender":"',
        b'","sending-ip":"","targets":""},"flags":{"is-routed":false,"is-authenticated":true,',
        b'"is-system-test":false,"is-test-mode":false},"storage":{"url":"https://","key":""},',
        b'"method":"http","message":{"headers":{"to":"","message-id":"","from":"","subject":""},',
        b'"attachments":[],"recipients":[""],"size":"event":"delivered""event":"accepted"',
        b'"event":"unsubscribed""reasons":["prefetch","burst","network","agent"]"kind":"machine"',
        b'"kind":"proxy""bot":"generic""bot":"gmail""bot":"apple""client-type":"unknown"',
        b'"client-type":"robot""client-type":"email client""client-type":"mobile browser"',
        b'"client-os":"unknown""client-os":"Android""client-os":"iOS""client-os":"Windows"',
        b'"device-type":"unknown""device-type":"tablet""device-type":"mobile"',
        b'"client-name":"unknown""client-name":"Gmail Image Proxy""client-name":"Outlook"',
        b'"client-name":"Apple Mail""client-name":"Chrome Mobile""client-name":"Mobile Safari"',
        b"Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com ",
        b"GoogleImageProxy)Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like ",
        b"Gecko) Chrome/140.0.0.0 Mobile Safari/537.36Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 ",
        b"like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 ",
        b"Safari/604.1Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 ",
        b"(KHTML, like Gecko)Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, ",
        b'like Gecko) Chrome/140.0.0.0 Safari/537.36","url":"https://www."event":"clicked"',
        b'{"event":"opened","id":"","timestamp":17,"domain":{"name":""},"recipient":"',
        b'@gmail.com","recipient-domain":"gmail.com","ip":"","geolocation":{"country":"US",',
        b'"region":"","city":"","timezone":"America/"},"geolocation":{"country":"Unknown",',
        b'"region":"Unknown","city":"Unknown"},"client-info":{"client-type":"browser",',
        b'"client-os":"OS X","device-type":"desktop","client-name":"Chrome","user-agent":"',
        b'Mozilla/5.0","bot":"","accept-language":"en-US,en;q=0.9"},"message":{"headers":{',
        b'"message-id":""}},"verdict":{"kind":"person","reasons":[]},"log-level":"info",',
        b'"tags":[],"campaigns":[],"user-variables":{},"url":"https://","link":{"position":1,',
        b'"name":"","category":"","tags":{}},"revision":0}',
    )
)


class NotDeflated(Exception):
    """The bytes are nothing that was deflated, or are cut off; the message says why."""


def inflated(packed: bytes) -> bytes:
    """Return what was deflated. Raises NotDeflated."""
    inflate = zlib.decompressobj(RAW, DICTIONARY)
    try:
        document = inflate.decompress(packed)
    except zlib.error as error:
        raise NotDeflated(str(error)) from error
    if not inflate.eof:
        raise NotDeflated("it is cut off")
    return document
