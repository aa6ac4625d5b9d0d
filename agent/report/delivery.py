"""One signed HTTP POST to a webhook, to the address that was checked and nowhere else.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com), which libraries for many languages
verify: HMAC-SHA256 over `id.timestamp.body`. Redirects are not followed and proxies are not used, since both would lead
to addresses that were not checked.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
import ssl
import time

from agent.settings import Webhook, is_loopback

TIMEOUT_SECONDS = 5.0
"""For connecting, and for each wait for an answer."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret in base64 begins with

AGAIN = (408, 425, 429)
"""Answers below 500 that ask to come again later."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotDelivered(Exception):
    """The receiver did not take it. `again`: a later attempt may do better."""

    def __init__(self, why: str, again: bool) -> None:
        super().__init__(why)
        self.again = again


def post(hook: Webhook, body: bytes, message_id: str, secret: str | None) -> None:
    """Deliver `body`. Raises NotDelivered."""
    import httpx  # a tenth of a second, for those that have a webhook

    url = httpx.URL(hook.url)
    host = url.raw_host.decode("ascii")
    address = checked_address(host, url.port or (443 if url.scheme == "https" else 80), hook.allow_private)
    headers = {"Host": url.netloc.decode("ascii"), **signed_headers(body, message_id, secret, int(time.time()))}
    pinned = {"sni_hostname": host}  # the certificate must be that of the name
    try:
        with (
            httpx.Client(trust_env=False, verify=ssl.create_default_context(), timeout=TIMEOUT_SECONDS) as client,
            client.stream(
                "POST", url.copy_with(host=address), content=body, headers=headers, extensions=pinned
            ) as response,
        ):
            status = response.status_code
    except httpx.HTTPError as error:
        raise NotDelivered(f"{hook.origin} cannot be reached: {type(error).__name__} {error}".strip(), True) from error
    if 300 <= status < 400:
        raise NotDelivered(f"{hook.origin} answers with a redirect ({status}), which is not followed", False)
    if not 200 <= status < 300:
        raise NotDelivered(f"{hook.origin} answers {status}", status >= 500 or status in AGAIN)


def signed_headers(body: bytes, message_id: str, secret: str | None, timestamp: int) -> dict[str, str]:
    """The headers of a delivery; unsigned without a secret. Raises NotDelivered for a secret that is no base64."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "tunewright",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secret:
        try:
            key = base64.b64decode(secret[6:], validate=True) if secret.startswith(SECRET_PREFIX) else secret.encode()
        except binascii.Error as error:
            raise NotDelivered("TUNEWRIGHT_WEBHOOK_SECRET begins with whsec_ but is no base64", False) from error
        signature = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(signature).decode()}"
    return headers


def checked_address(host: str, port: int, allow_private: bool) -> str:
    """The address to connect to. Raises NotDelivered if any that `host` stands for must not be reached."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"{host} cannot be found: {error}", True) from error
    addresses = [str(entry[4][0]) for entry in entries]
    for address in addresses:
        if not may_reach(host, address, allow_private):
            hint = "" if allow_private else "; allow_private = true permits addresses of the own network"
            raise NotDelivered(f"{host} stands for {address}, where nothing is delivered{hint}", False)
    return addresses[0]


def may_reach(host: str, address: str, allow_private: bool) -> bool:
    """Whether `address`, which `host` was resolved to, may be connected to.

    This machine only where the URL itself says so: a public name that points here is an attack. Addresses of the own
    network if allowed. Link-local ones never: cloud machines tell their keys there.
    """
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_loopback:
        return is_loopback(host)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return False
    return ip.is_global or allow_private


def _unwrapped(ip: Address) -> Address:
    """The IPv4 address within an IPv6 one that is only another way to write it."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
