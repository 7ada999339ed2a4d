"""TLS: who is trusted, what is shown to whom, and that nothing leaves TLS."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest

from audit.errors import UsageError
from audit.registry import ONCE, Client, Credentials, Options, RedirectRefused, RegistryError, Tls, TlsFailed
from tests.farm.registry import Handler, Registry, basic, serving
from tests.farm.spoilers import answers
from tests.registry.conftest import ROBOT, Dial, Pki
from tests.registry.images import digest, named, stocked


def test_a_ca_of_ones_own(pki: Pki, dial: Dial) -> None:
    """With the CA's certificate it works, for the token server too; the settings of ``*`` count for every registry."""
    with serving(Registry(auth="bearer"), tls=pki.server()) as registry:
        raw = stocked(registry)
        for host in (registry.address, "*"):
            client = dial(registry, ROBOT, tls={host: Tls(ca_file=pki.path("ca"))})
            assert client.manifest(named(registry)).raw == raw


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("server", "signed by no CA that is trusted here; give the CA's certificate with ca_file"),
        ("stranger", "signed by no CA that is trusted here"),
        ("expired", "has expired"),
        ("elsewhere", "is for another name"),
    ],
)
def test_who_is_not_trusted(pki: Pki, dial: Dial, server: str, says: str) -> None:
    """Each reason has its own sentence, and nothing was sent."""
    with serving(Registry(), tls=pki.server(server)) as registry:
        stocked(registry)
        tls = {} if server == "server" else {registry.address: Tls(ca_file=pki.path("ca"))}
        with pytest.raises(TlsFailed, match=says) as told:
            dial(registry, tls=tls).manifest(named(registry))
        assert not told.value.transient
        assert registry.asked == []


def test_http_on_a_port_of_tls_and_the_other_way_round(registry: Registry, pki: Pki, dial: Dial) -> None:
    """https to a server of http says so; http to one of TLS is no answer that could be taken for one."""
    stocked(registry)
    with pytest.raises(TlsFailed, match="the port does not speak TLS; say with plain_http"):
        dial(registry, plain_http=frozenset()).manifest(named(registry))
    with serving(Registry(), tls=pki.server()) as other, pytest.raises(RegistryError):
        dial(other, plain_http=frozenset({other.address})).manifest(named(other))


def test_localhost_is_no_exception() -> None:
    """http is spoken only where it was said."""
    assert Options().base("localhost:5000").startswith("https:")
    assert Options().base("127.0.0.1:5000").startswith("https:")
    with pytest.raises(UsageError, match="without a scheme"):
        Options(plain_http=frozenset({"http://localhost"}))


def test_a_client_certificate(pki: Pki, dial: Dial) -> None:
    """It is shown to a registry that asks; without it, the sentence says what is missing."""
    with serving(Registry(), tls=pki.server(ask=True)) as registry:
        raw = stocked(registry)
        ca = pki.path("ca")
        tls = Tls(ca_file=ca, client_cert=pki.path("client"))
        assert dial(registry, tls={registry.address: tls}).manifest(named(registry)).raw == raw
        with pytest.raises(RegistryError, match=r"client certificate|hung up|closed|reset"):
            dial(registry, tls={registry.address: Tls(ca_file=ca)}).manifest(named(registry))


def test_a_client_certificate_is_shown_to_its_registry_only(pki: Pki, dial: Dial) -> None:
    """Where a registry redirects to another host, that one does not see the certificate."""
    shown: list[object] = []
    asking = pki.server("second")
    asking.verify_mode = ssl.CERT_OPTIONAL
    asking.load_verify_locations(pki.path("ca"))

    def look(handler: Handler) -> None:
        shown.append(bool(handler.connection.getpeercert()))
        handler.reply(200, b"layer")

    tls = Tls(ca_file=pki.path("ca"), client_cert=pki.path("client"))
    with (
        serving(Registry(), tls=pki.server(ask=True)) as registry,
        serving(Registry(), host="127.0.0.2", tls=asking) as other,
    ):
        other.spoil("GET", "/x", look)
        registry.spoil("GET", "/blobs/", answers(307, Location=f"https://{other.address}/x"))
        client = dial(registry, tls={"*": tls})
        assert client.blob_bytes(named(registry), digest(b"layer"), 5) == b"layer"
        other.spoil("GET", "/v2/", look)
        assert client.blob_bytes(named(other), digest(b"layer"), 5) == b"layer"
    assert shown == [False, True], "not when sent there, but when it is the registry itself"


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        (Tls(ca_file=Path("/nowhere/ca.crt")), "/nowhere/ca.crt: no CA certificate"),
        (Tls(ca_file=Path("/dev/null")), "no CA certificate"),
        (Tls(client_cert=Path("/nowhere/me.crt")), "/nowhere/me.crt: no client certificate"),
        (Tls(client_key=Path("/nowhere/me.key")), "a client key needs its certificate"),
    ],
)
def test_files_that_cannot_be_used(pki: Pki, dial: Dial, tls: Tls, says: str) -> None:
    """A setting that is wrong is a usage error that names the file."""
    with serving(Registry(), tls=pki.server()) as registry, pytest.raises(UsageError, match=says) as told:
        dial(registry, tls={registry.address: tls}).manifest(named(registry))
    assert told.value.exit_code == 2


def test_a_redirection_never_leaves_tls(registry: Registry, pki: Pki, dial: Dial) -> None:
    """https to http is refused, for blobs, manifests, uploads and token servers; nothing reaches the http server."""
    with serving(Registry(auth="basic"), tls=pki.server()) as secure:
        stocked(secure)
        tls = {secure.address: Tls(ca_file=pki.path("ca"))}
        plain = f"http://{registry.address}/v2/x"
        client = dial(secure, ROBOT, tls=tls)
        client.manifest(named(secure))
        secure.spoil("GET", "/(blobs|manifests)/", answers(307, Location=plain))
        secure.spoil("POST", "/uploads/", answers(202, Location=plain))
        with pytest.raises(RedirectRefused, match="from https to http"):
            client.manifest(named(secure))
        with pytest.raises(RedirectRefused, match="from https to http"):
            client.blob_bytes(named(secure), digest(b"layer"), 5)
        with pytest.raises(RedirectRefused, match="from https to http"):
            client.upload(named(secure), digest(b""), 0, b"")
        secure.spoilt.clear()
        secure.auth, secure.realm = "bearer", f"http://{registry.address}/token"
        with pytest.raises(RedirectRefused, match="the login sent to a token server by http"):
            dial(secure, ROBOT, tls=tls).manifest(named(secure))
    assert registry.asked == []


def test_the_login_goes_to_the_right_place_only(pki: Pki) -> None:
    """Credentials of one registry are not those of another one."""
    with (
        serving(Registry(auth="basic"), tls=pki.server()) as one,
        serving(Registry(auth="basic"), tls=pki.server()) as two,
    ):
        stocked(one)
        stocked(two)
        ca = Tls(ca_file=pki.path("ca"))
        logins = {one.address: ROBOT, two.address: Credentials(username="x", password="y")}
        client = Client(Options(tls={"*": ca}, credentials=logins, environment={}, retry=ONCE))
        client.manifest(named(one))
        with pytest.raises(RegistryError):
            client.manifest(named(two))
        theirs = base64.b64encode(b"x:y").decode()
        assert {one_.headers.get("authorization") for one_ in two.asked} == {None, f"Basic {theirs}"}
        assert {one_.headers.get("authorization") for one_ in one.asked} == {None, f"Basic {basic()}"}
        client.close()
