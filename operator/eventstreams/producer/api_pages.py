"""The API's document at /openapi.json and its page at /, made once at start; both are read without a key.

The page is one file that loads nothing but the document. The policy in its head lets run only the script and style
that are in it, by their digests, and lets it talk to its own origin alone: no text that it shows can become code, and
nothing can take the key that a person types out of it.
"""

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Final

from eventstreams.producer.answers import JSON
from eventstreams.producer.limits import Limits
from eventstreams.producer.openapi import document
from eventstreams.producer.pages import Pages, fixed

_INLINE: Final = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)
_SECURITY: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def pages(limits: Limits, *, has_page: bool = True) -> Pages:
    """Return what the API port serves besides records and health."""
    found = {b"/openapi.json": fixed(JSON, json.dumps(document(limits)).encode())}
    if has_page:
        html = resources.files(__package__).joinpath("page.html").read_bytes()
        headers = {"Content-Security-Policy": policy(html), **_SECURITY}
        found[b"/"] = fixed("text/html; charset=utf-8", html, headers)
    return found


def policy(html: bytes) -> str:
    """Return the Content-Security-Policy for a page whose scripts and styles are inline."""
    digests: dict[bytes, list[str]] = {b"script": [], b"style": []}
    for kind, text in _INLINE.findall(html):
        digests[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(digests[b'script'])}",
            f"style-src {' '.join(digests[b'style'])}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
