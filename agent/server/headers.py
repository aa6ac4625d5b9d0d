"""The headers that every response has."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

POLICY = (
    b"default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'self'"
)
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def careful(headers: Iterable[tuple[bytes, bytes]], api: bool) -> Headers:
    """`headers` with those that every response has; answers of the API are not to be stored."""
    found = [*headers, *ALWAYS]
    names = {name for name, _ in found}
    if b"content-security-policy" not in names:
        found.append((b"content-security-policy", POLICY))
    if b"cache-control" not in names:
        found.append((b"cache-control", b"no-store" if api else b"no-cache"))
    return found
