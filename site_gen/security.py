"""A Content-Security-Policy: what a page may load and run, so that nothing else does.

A theme has a few scripts within its pages. They are allowed by their hashes, and no other script within
a page is; everything else must be a file of the site.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

# A script without `src` that is no data, such as JSON.
INLINE_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script\s*>", re.S | re.I)
NO_CODE = re.compile(r"""\bsrc\s*=|\btype\s*=\s*["']?(?!text/javascript|module)[\w/+-]+""", re.I)
DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
# What a `meta` element cannot ask for.
HEADER_ONLY = {"frame-ancestors": "'none'"}


def script_hashes(html: str) -> set[str]:
    """Return what allows the scripts that stand within a page, such as `'sha256-...'`."""
    scripts = INLINE_SCRIPT.finditer(html)
    return {_hash(each["code"]) for each in scripts if not NO_CODE.search(each["attributes"])}


def policy(hashes: Iterable[str], *, header: bool = False) -> str:
    """Return the policy as the value of a header, or of a `meta` element, which can say less."""
    directives = DIRECTIVES | (HEADER_ONLY if header else {})
    directives["script-src"] = " ".join([directives["script-src"], *sorted(hashes)])
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def headers_file(hashes: Iterable[str]) -> str:
    """Return the `_headers` file that static hosts read: the policy, and how long to keep files."""
    return (
        "/*\n"
        f"  Content-Security-Policy: {policy(hashes, header=True)}\n"
        "  X-Content-Type-Options: nosniff\n"
        "  Referrer-Policy: strict-origin-when-cross-origin\n"
        "  Cache-Control: public, max-age=600\n"
    )


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
