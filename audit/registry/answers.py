"""An HTTP answer that is not the one hoped for, as an error of ours: by its codes and words first, then by its status.

The codes are those of distribution-spec, section Error Codes; the words are what registries were seen to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from audit.registry import failures
from audit.registry._said import one_line
from audit.registry.after import after
from audit.registry.failures import Call, Headers, RegistryError

_MOST_ERRORS, _MOST_DIGESTS = 1000, 1000
_DIGEST = re.compile(r"\b(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\b")


class Case(NamedTuple):
    """One row: the first that fits says what the error is.

    Attributes:
        made: the class.
        why: what went wrong.
        todo: what to do next.
        words: one of them stands in what was said (lower case); empty: whatever was said.
        statuses: the answer's status is one of them; empty: whatever it is.
        kinds: how the kind of the call begins or ends; empty: whatever was asked.
    """

    made: type[RegistryError]
    why: str
    todo: str = ""
    words: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()


_LIMITS = (400, 403, 429, 503)
_TOKEN = ("token",)

CASES: tuple[Case, ...] = (
    Case(failures.LoginLocked, "the registry has locked this login after too many failed ones",
         "check the password, and do not log in for 15 minutes",
         ("too many failed login attempts", "you have been locked out")),
    Case(failures.PullQuota, "the registry's quota of pulls is used up", "sign in, wait, or use a paid plan",
         ("reached your pull rate limit", "reached your unauthenticated pull rate limit",
          "unauthenticated pull rate limit", "increase-rate-limit")),
    Case(failures.ApiQuota, "the quota of the registry's API is used up", "wait",
         ("docker hub api rate limit exceeded",)),
    Case(failures.SecondaryLimit, "the registry allows less at once", "wait some minutes, then ask less often",
         ("secondary rate limit",), (403, 429)),
    Case(failures.Limited, "the registry allows fewer requests a minute than this", "ask less often",
         ("allowed: ",), (403, 429)),
    Case(failures.AbuseLimit, "too many requests came from this address", "wait, then ask less often",
         ("hap429",), _LIMITS),
    Case(failures.AbuseLimit, "too many requests came from this address", "wait, then ask less often", (), (429,)),
    Case(failures.NotAllowed, "the registry does not let a tag be changed",
         "use another tag, or allow it in the registry", ("immutable", "imagetagalreadyexists"), (400, 403, 405, 409)),
    Case(failures.LoginRefused, "user name and password, or the token, are refused", "check the credentials",
         ("incorrect username or password", "invalid username", "bad credentials", "no basic auth credentials"),
         (400, 401, 403)),
    Case(failures.LoginRefused, "the token server refuses the credentials", "check them", (), (401,), _TOKEN),
    Case(failures.Denied, "the token server refuses what was asked for", "check what the account may do there",
         (), (400, 403), _TOKEN),
    Case(failures.NotARegistry, "there is no token server", "check the registry's settings", (), (404, 405), _TOKEN),
    Case(failures.Denied, "the account has not the right to do that",
         "check what it may do with that repository",
         ("insufficient_scope", "requested access to the resource is denied", "push access denied",
          "not allowed to write", "access to the resource is denied"), (401, 403)),
    Case(failures.TokenRefused, "the registry no longer takes the token", "try again", ("invalid_token",), (401,)),
    Case(failures.LoginRefused, "the registry wants credentials, or other ones",
         "give credentials for it (`docker login`)", (), (401,)),
    Case(failures.Denied, "the account has not the right to do that",
         "check what it may do with that repository", (), (403,)),
    Case(failures.MissingParts, "the registry lacks what the manifest names", "push these first",
         ("manifest_blob_unknown", "blob unknown to registry", "required for pushing image"), (400, 404, 422),
         ("PUT manifest",)),
    Case(failures.MissingParts, "the registry lacks what the manifest names", "push these first",
         ("blob_unknown", "manifest_unknown", "manifest unknown", "manifest references"), (400, 404, 422),
         ("PUT manifest",)),
    Case(failures.UploadLost, "the upload session is gone", "begin the upload again",
         ("blob_upload_unknown", "blob upload unknown"), (400, 404)),
    Case(failures.UploadLost, "the upload session is gone", "begin the upload again", (), (404,),
         ("PATCH upload", "PUT upload", "GET upload")),
    Case(failures.UploadLost, "the upload is not where we think it is", "begin the upload again", (), (416,)),
    Case(failures.NameUnknown, "the registry has no such repository", "check the name",
         ("name_unknown", "repository name not known", "repository not found", "name unknown"), (404,)),
    Case(failures.BlobUnknown, "the registry has no such blob there", "check the digest and the repository",
         (), (404,), ("HEAD blob", "GET blob")),
    Case(failures.ManifestUnknown, "the registry has no such manifest", "check the tag or the digest",
         (), (404,), ("HEAD manifest", "GET manifest", "DELETE manifest")),
    Case(failures.NameUnknown, "the registry has no such repository", "check the name", (), (404,), ("GET tags",)),
    Case(failures.NotFound, "the registry has nothing there", "check the name and that it is a registry", (), (404,)),
    Case(failures.NotAllowed, "the registry is set not to allow that", "ask whoever runs it",
         ("unsupported", "operation is unsupported"), (400, 405)),
    Case(failures.NotAllowed, "the registry is set not to allow that", "ask whoever runs it", (), (405,)),
    Case(failures.NotAllowed, "the registry refuses to change what is there", "compare with what is there",
         (), (409,)),
    Case(failures.TlsFailed, "the port speaks TLS, but it was asked by http",
         "take it out of plain_http (--plain-http)",
         ("client sent an http request to an https server", "plain http request was sent to https port"), (400,)),
    Case(failures.Invalid, "the registry takes our request for too large", "make it smaller", (), (413,)),
    Case(failures.Invalid, "the registry takes what we sent for wrong", "see what it says",
         (), (400, 406, 411, 412, 414, 415, 422)),
    Case(failures.ServerFailed, "the server failed", "try again",
         (), (408, 425, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524)),
)  # fmt: skip
"""Read from the top; what no row fits is decided by the hundred of its status."""

_NO_PULLS = next(case for case in CASES if case.made is failures.PullQuota)
_PAGE = Case(failures.NotFound, "a web page says that nothing is there", "check that a registry answers there")


def from_answer(
    call: Call, status: int, headers: Headers, body: bytes, *, now: float, secrets: Iterable[str] = ()
) -> RegistryError:
    """The error that an answer is. Total: every status becomes something.

    Args:
        call: what was asked.
        status: the answer's status.
        headers: its headers, by name in lower case.
        body: the beginning of its text.
        now: UNIX time, for a moment in Retry-After.
        secrets: what must not stand in the sentence, should the registry repeat it.
    """
    text = body.decode("utf-8", "replace")
    rows = _errors(text)
    codes = tuple(dict.fromkeys(code for code, _, _ in rows if code))
    said = "; ".join(dict.fromkeys(part for code, message, _ in rows if (part := _joined(code, message))))
    page = "html" in headers.get("content-type", "").lower()
    if not rows and not page:
        said = text
    heard = " ".join((headers.get("www-authenticate", ""), text)).lower()
    fits = (case for case in CASES if _fits(case, call, status, heard))
    case = _PAGE if page and status == 404 else next(fits, None) or _rest(status)
    if status == 429 and not text.strip() and headers.get("ratelimit-remaining", "").strip().startswith("0;"):
        case = _NO_PULLS  # the answer to a HEAD has no words
    shown = one_line(said, secrets)
    digests: tuple[str, ...] = ()
    if case.made is failures.MissingParts:
        found = _DIGEST.findall(json.dumps([detail for _, _, detail in rows]) if rows else text)
        digests = tuple(dict.fromkeys(found))[:_MOST_DIGESTS]
    todo = case.todo
    asked = after(headers.get("retry-after"), text[:4096], now=now)
    if asked is None and case.made is failures.ApiQuota:
        asked = after(headers.get("x-ratelimit-reset"), now=now)
    if digests:
        todo += f": {', '.join(digests[:2])}{f' and {len(digests) - 2} more' if len(digests) > 2 else ''}"
    return case.made(
        call,
        f"{case.why} (HTTP {status}{f': {shown}' if shown else ''})",
        todo,
        status=status,
        codes=codes,
        after=asked,
        digests=digests,
    )


def _fits(case: Case, call: Call, status: int, heard: str) -> bool:
    return (
        (not case.statuses or status in case.statuses)
        and (not case.kinds or call.kind in case.kinds)
        and (not case.words or any(word in heard for word in case.words))
    )


def _rest(status: int) -> Case:
    if status >= 500:
        return Case(failures.ServerFailed, "the server failed", "try again")
    if 300 <= status < 400:
        return Case(failures.RedirectRefused, "the server sends us elsewhere", "check the registry's address")
    if status >= 400:
        return Case(failures.Invalid, "the registry takes what we sent for wrong", "see what it says")
    return Case(failures.Garbled, "the registry answers what the protocol has no place for", "check what answers there")


def _errors(text: str) -> list[tuple[str, str, Any]]:
    """Code, message and detail of each error in the body, as far as it has the protocol's shape."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(body, dict):
        return []
    rows = body.get("errors")
    if not isinstance(rows, list):  # token servers and others say it in one of these
        said = body.get("details") or body.get("message") or body.get("error_description") or body.get("error")
        return [("", said, None)] if isinstance(said, str) else []
    found = []
    for row in rows[:_MOST_ERRORS]:
        if isinstance(row, dict):
            code, message = row.get("code"), row.get("message")
            found.append((
                one_line(code, limit=60).upper() if isinstance(code, str) else "",
                message if isinstance(message, str) else "",
                row.get("detail"),
            ))  # fmt: skip
    return found


def _joined(code: str, message: str) -> str:
    return f"{code}: {message}" if code and message else code or message
