"""A webhook delivery goes to the address that was checked, signed, once, and nowhere else."""

import base64
import socket
import ssl
import subprocess
import threading

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from agent.report.delivery import NotDelivered, checked_address, may_reach, post, signed_headers
from agent.settings import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of enough bytes").decode()


def hook(url, **more):
    """A webhook at `url`."""
    return Webhook(url=url, **more)


@pytest.mark.parametrize("secret", [SECRET, "plain words"])
def test_an_independent_client_accepts_the_signature(receiver, secret):
    """The official openai client verifies Standard Webhooks."""
    there = receiver()
    post(hook(f"{there.url}/in?key=1"), b'{"event": "done"}', "study-1-9", secret)
    ((path, headers, body),) = there.got
    assert (path, body) == ("/in?key=1", b'{"event": "done"}')
    client = OpenAI(api_key="none", webhook_secret=secret)
    client.webhooks.verify_signature(body, headers)
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.verify_signature(body + b" ", headers)
    assert headers["webhook-id"] == "study-1-9"


def test_without_a_secret_there_is_no_signature():
    """A receiver that insists on one refuses it."""
    assert "webhook-signature" not in signed_headers(b"{}", "x", None, 1)


def test_a_secret_that_is_no_base64_is_told():
    """A truncated copy would otherwise sign with nobody's key."""
    with pytest.raises(NotDelivered, match="no base64"):
        signed_headers(b"{}", "x", "whsec_abc", 1)


@pytest.mark.parametrize(("status", "again"), [(301, False), (302, False), (307, False), (308, False)])
def test_redirects_are_not_followed(receiver, status, again):
    """A redirect could lead to an address that was not checked."""
    target = receiver()
    there = receiver((status,), {"Location": f"{target.url}/elsewhere"})
    with pytest.raises(NotDelivered, match="redirect") as error:
        post(hook(there.url), b"{}", "x", None)
    assert error.value.again is again
    assert target.got == []


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (401, False), (404, False), (408, True), (429, True), (503, True)]
)
def test_what_may_be_tried_again(receiver, status, again):
    """Refusals are final; overload and failures of the receiver are not."""
    there = receiver((status,))
    with pytest.raises(NotDelivered, match=str(status)) as error:
        post(hook(there.url), b"{}", "x", None)
    assert error.value.again is again


def test_nobody_there_may_be_tried_again_and_the_path_stays_secret():
    """The path of a webhook's address often is its password."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(NotDelivered) as error:
        post(hook(f"{url}/services/s3cr3t"), b"{}", "x", None)
    assert error.value.again
    assert url in str(error.value)
    assert "s3cr3t" not in str(error.value)


def test_a_proxy_is_not_used(receiver, monkeypatch):
    """It would connect to what was not checked."""
    proxy, there = receiver(), receiver()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    post(hook(f"{there.url}/in"), b"{}", "x", None)
    assert (len(proxy.got), len(there.got)) == (0, 1)


def test_the_receiver_sees_the_name_that_was_configured(receiver):
    """Although the connection goes to the address that was checked: virtual hosts need it."""
    there = receiver()
    port = there.server.server_port
    post(hook(f"http://localhost:{port}/ä/%41?x=1&y=%20"), b"{}", "x", None)
    ((path, headers, _),) = there.got
    assert headers["host"] == f"localhost:{port}"
    assert path == "/%C3%A4/%41?x=1&y=%20"


def test_an_endless_answer_is_not_read():
    """The status is all that counts."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx")
            done.wait(20)
            connection.close()

        done = threading.Event()
        threading.Thread(target=answer, daemon=True).start()
        post(hook(f"http://127.0.0.1:{server.getsockname()[1]}/"), b"{}", "x", None)
        done.set()


def test_an_answer_that_is_no_http_is_a_failure():
    """A receiver that speaks something else, or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(NotDelivered) as error:
            post(hook(f"http://127.0.0.1:{server.getsockname()[1]}/"), b"{}", "x", None)
        assert error.value.again


PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]
PRIVATE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address):
    """That is what a webhook is for."""
    assert may_reach("hooks.example", address, allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_the_own_network_need_permission(address):
    """In whatever way they are written."""
    assert not may_reach("hooks.example", address, allow_private=False)
    assert may_reach("hooks.example", address, allow_private=True)


@pytest.mark.parametrize("address", HERE)
def test_a_public_name_for_this_machine_is_an_attack(address):
    """Whatever is allowed; only a URL that says localhost may go there."""
    for allow_private in (False, True):
        assert not may_reach("hooks.example", address, allow_private)
        assert may_reach("localhost", address, allow_private)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reached(address):
    """Cloud machines tell their keys at link-local addresses."""
    for host in ("hooks.example", "localhost"):
        for allow_private in (False, True):
            assert not may_reach(host, address, allow_private)


def test_the_refusal_names_what_would_permit_it():
    """With an address instead of a name, nothing has to be looked up."""
    with pytest.raises(NotDelivered, match="allow_private = true") as error:
        checked_address("10.0.0.1", 443, allow_private=False)
    assert not error.value.again
    assert checked_address("10.0.0.1", 443, allow_private=True) == "10.0.0.1"


def test_a_numeric_spelling_of_loopback_is_resolved_before_it_is_judged():
    """2130706433 and 0x7f.1 are 127.0.0.1 to the resolver, and no spelling of this machine to us."""
    for host in ("2130706433", "0x7f.1", "127.1"):
        with pytest.raises(NotDelivered, match=r"127\.0\.0\.1|cannot be found"):
            checked_address(host, 80, allow_private=True)


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for localhost: (its file, its key)."""
    made = [tmp_path / "certificate.pem", tmp_path / "key.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
         "-addext", "subjectAltName=DNS:localhost", "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


def test_the_certificate_must_be_trusted_and_that_of_the_name(receiver, certificate, monkeypatch):
    """The connection goes to an address, the certificate is checked against the name."""
    there = receiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    there.server.socket = context.wrap_socket(there.server.socket, server_side=True)
    port = there.server.server_port
    with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
        post(hook(f"https://localhost:{port}/"), b"{}", "x", None)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    post(hook(f"https://localhost:{port}/"), b"{}", "x", None)
    with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
        post(hook(f"https://127.0.0.1:{port}/"), b"{}", "x", None)
    assert len(there.got) == 1
