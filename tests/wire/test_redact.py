"""A planted secret never survives; what is no secret does; and no text takes long."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.wire import redact
from audit.wire.redact import one_line

CANARY = "s3cr3tCanary"

PLANTED = [
    f"HTTP_PROXY=http://user:{CANARY}@proxy:3128",
    f"http://{CANARY}@proxy:3128/path",
    f"https://user:p@ss{CANARY}@proxy:3128",
    f"https://user:pa/ss{CANARY}@proxy:3128",
    f'{{"HttpProxy": "http:\\/\\/u:{CANARY}@proxy"}}',
    f"https_proxy=user:{CANARY}@proxy:3128",
    f"Authorization: Basic {CANARY}",
    f"authorization: Bearer {CANARY}",
    f"Proxy-Authorization: Digest username={CANARY}",
    f"X-Registry-Auth: {CANARY}",
    f"curl -H 'Authorization: Bearer {CANARY}'",
    f"bearer {CANARY}",
    f'{{"auths": {{"r.example": {{"auth": "{CANARY}"}}}}}}',
    f'{{"identitytoken": "{CANARY}"}}',
    f'{{"registrytoken" : "{CANARY}"}}',
    f'{{"password":"{CANARY}"}}',
    f'{{"Password":"quo\\"te{CANARY}"}}',
    f'"log": "{{\\"auth\\": \\"{CANARY}\\"}}"',
    f"DB_PASSWORD={CANARY}",
    f"export API_TOKEN={CANARY}",
    f"MY_SECRET='{CANARY} with spaces {CANARY}'",
    f'MY_SECRET="{CANARY} with \\" and {CANARY}"',
    f"MY_SECRET=one two {CANARY}",
    f"AWS_SECRET_ACCESS_KEY={CANARY}",
    f"SIGNING_KEY={CANARY} DOCKER_BUILDKIT=1",
    f"npm_config__auth={CANARY}",
    f'"Env": ["REGISTRY_PASSWORD=a {CANARY}", "PATH=/bin"]',
    f"password: {CANARY}",
    f"  aws_secret_access_key = {CANARY}",
    f"docker login --password {CANARY} -u me",
    f"mysql --password={CANARY}",
    f"tool -token {CANARY}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{CANARY}\n-----END PGP PRIVATE KEY BLOCK-----",
    f"ghp_{CANARY}{CANARY}",
    f"glpat-{CANARY}{CANARY}",
    f"dckr_pat_{CANARY}{CANARY}",
    f"eyJhbGciOiJI{CANARY}.eyJzdWIiOiIx{CANARY}.{CANARY}",
]

KEPT = [
    "registry.example:5000/app@sha256:abc",
    "docker-image://registry.example:5000/team/app@sha256:abc",
    "https://registry.example/v2/",
    "DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1 SOURCE_DATE_EPOCH=0 HOME=/root",
    "SSH_AUTH_SOCK=/run/agent.sock",
    '{"credsStore": "pass", "credHelpers": {"r": "ecr-login"}}',
    '{"SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"], "Swarm": {"NodeID": ""}}',
    "sudo: a password is required",
    "user@host",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA user@host",
    "unix:///var/run/docker.sock",
    "KeyringMode=private",
    "Authentication is required",
]


@pytest.mark.parametrize("text", PLANTED)
def test_planted_secrets_are_cut_out(text: str) -> None:
    """Each shape of a secret is gone, and a mask stands there."""
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize("text", KEPT)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """What facts live on is not touched."""
    assert redact(text) == text


@settings(deadline=None)
@given(
    before=st.text(max_size=30).filter(lambda text: not text or not text[-1].isalnum()),
    planted=st.sampled_from(PLANTED),
    after=st.text(max_size=30),
)
def test_secrets_are_found_between_any_text(before: str, planted: str, after: str) -> None:
    """On a line of its own between arbitrary lines, a planted secret never survives."""
    assert CANARY not in redact(f"{before}\n{planted}\n{after}")


@settings(deadline=None)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@/?#\"'<>\\ "), min_size=8)
)
def test_any_password_in_a_url_is_cut_out(secret: str) -> None:
    """Whatever characters a password in a URL is made of."""
    assert f":{secret}@" not in redact(f"proxy https://user:{secret}@proxy.example:3128/ end")


@settings(deadline=None)
@given(secret=st.text(min_size=6, max_size=40).filter(lambda text: text.strip() == text and "***" not in text))
def test_json_stays_json_and_loses_its_secrets(secret: str) -> None:
    """A registry credential of any text is gone from JSON, which can still be read, with its neighbours."""
    document = {"auths": {"r": {"auth": secret, "email": "me"}}, "identitytoken": secret, "keep": [1, "two"]}
    for ascii_only in (True, False):
        cleaned = json.loads(redact(json.dumps(document, ensure_ascii=ascii_only)))
        assert cleaned == {"auths": {"r": {"auth": "***", "email": "me"}}, "identitytoken": "***", "keep": [1, "two"]}


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_redaction_is_stable(text: str) -> None:
    """Redacting twice gives no more than redacting once lets through."""
    once = redact(text)
    assert redact(once).count("***") >= once.count("***")


@pytest.mark.parametrize(
    "pattern",
    [
        "://", "://a:b", "@", "a@", "password", "_KEY=", '"auth":"', '\\"', "-----BEGIN PRIVATE KEY", "PASSWORD=x ",
        "token: ", "authorization: ", "bearer ", "eyJa.", "x-auth", '"password":', "=" , "export A_TOKEN=a b ", "' ",
        "proxy=a:b", "ghp_", "\\", "\n", "_" , "A_SECRET='", 'A_SECRET="', "a" , "auth_", "key=",
    ],
)  # fmt: skip
def test_no_text_takes_long(pattern: str) -> None:
    """A hundred kilobytes of what a pattern begins with cost well under a second of CPU."""
    text = pattern * (100_000 // len(pattern))
    begun = time.process_time()
    redact(text)
    redact("password token secret key auth :// @ " + text)
    assert time.process_time() - begun < 1.5


def test_messages_are_one_printable_line() -> None:
    """Newlines, escapes and length are taken out of what goes into a message."""
    line = one_line("a\n\x1b[2Jb\tc " + "x" * 1000 + " http://u:secret@h")
    assert line.startswith("a [2Jb c xxx")
    assert len(line) == 300
    assert line.endswith("…")


@pytest.mark.parametrize(
    "text", ['{"Authorization":null,"a":1}', '{"Authorization": true}', '["x",{"Authorization":false}]']
)
def test_a_member_without_text_stays_json(text: str) -> None:
    """What holds no secret is left as it is, so that the document can still be read."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text", ["Authorization: null s3cret", "authorization=null,s3cret", '"Authorization": "null s3cret"']
)
def test_a_secret_behind_null_does_not_survive(text: str) -> None:
    """Only a member of JSON is spared; a header that begins with the word is not."""
    assert "s3cret" not in redact(text)
