"""The way to the registry: time-outs, broken connections, its own errors, TLS."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

_AGAIN = "Retry with growing pauses (1, 2, 4, 8, 16 seconds); every request of a push or merge may be repeated."

SYMPTOMS = (
    Symptom(
        id="S23",
        title="token time-out at the registry",
        nature="transient",
        where="`docker manifest push`, and whatever else fetches a token for each blob",
        cause="The token service did not answer in time. `docker manifest push` fetches two tokens a blob, each over "
        "a new connection, and never retries: one slow one ends the push. Nothing is wrong with the blob or its mount.",
        do="retry; it is not the mount that failed",
        fixes=(
            "Run the push again, with growing pauses between tries.",
            "Merge with a tool that fetches one token for all blobs (`docker buildx imagetools create`).",
            "Push one tag at a time from one address.",
        ),
        signatures=(
            seen("failed to mount blob", "unable to decode token response", score=97),
            seen("failed to mount blob", "token", r"(?:Client\.Timeout|deadline exceeded|timeout)", score=96),
            seen("unable to decode token response", score=94),
            *(
                seen(asked, late, score=86)
                for asked in ("failed to authorize", "oauth token", r"/token\?", r"auth\.docker\.io")
                for late in (r"Client\.Timeout", "deadline exceeded", "i/o timeout", "handshake timeout")
            ),
        ),
        refs=("dotnet/docker-tools#22", "kubernetes/release#2810", "docker/cli#3872", "ocurrent/ocurrent#474"),
        leads_to=("R-placing", "R-network", "R-server", "S11"),
    ),
    Symptom(
        id="R-network",
        title="the connection to the registry broke or timed out",
        nature="transient",
        where="any call over the network",
        cause="A time-out, a reset or a name that did not resolve between this machine and the registry.",
        do="retry with growing pauses; look at the network when it does not pass",
        fixes=(
            _AGAIN,
            "Where `no such host` stays: check DNS and the proxy of this machine (three tries are enough to know).",
            "Send fewer requests at once: a busy NAT drops connections.",
        ),
        signatures=(
            seen(r"Client\.Timeout exceeded while awaiting headers", score=44),
            seen(r"Client\.Timeout or context cancellation while reading body", score=44),
            seen("TLS handshake timeout", score=44),
            seen("context deadline exceeded", score=40),
            seen("i/o timeout", score=42),
            seen("connection reset by peer", score=42),
            seen("connection refused", score=40),
            seen("broken pipe", score=36),
            seen("unexpected EOF", score=32),
            seen(": EOF", score=28),
            seen("GOAWAY", score=34),
            seen("server misbehaving", score=42),
            seen(r"lookup (?P<host>[\w.-]{1,200})", "no such host", score=45, says="the name {host} does not resolve"),
            seen("no such host", score=40),
            seen("Temporary failure in name resolution", score=45),
            seen("http: server closed idle connection", score=42),
            seen("network is unreachable", score=42),
            seen("error reading from server", score=28),
        ),
        refs=("ocurrent/ocurrent-deployer#93", "kubernetes/release#2810", "docker/cli#3872"),
    ),
    Symptom(
        id="R-server",
        title="the registry failed by itself (5xx)",
        nature="transient",
        where="any call to a registry",
        cause="The registry, or a proxy before it, answered with an error of its own.",
        do="retry with growing pauses; look at the registry's status page when it does not pass",
        fixes=(
            _AGAIN,
            "`failed to copy after 5 retries` hides the reason: look at the lines before it.",
        ),
        signatures=(
            *(
                seen(reason, score=46, says=f"the registry failed by itself ({reason})")
                for reason in (
                    "500 Internal Server Error",
                    "502 Bad Gateway",
                    "503 Service Unavailable",
                    "504 Gateway Time",
                )
            ),
            seen("invalid status code from registry 5", score=46),
            *(
                seen(
                    said,
                    r"[^\d](?P<code>50[0-4]|52[0-4]|408|499)\b",
                    score=45,
                    says="the registry failed by itself ({code})",
                )
                for said in ("unexpected status", "status code", "response status", "HTTP status")
            ),
            seen(r"failed to copy after \d{1,2} retries", score=38),
        ),
        refs=("docker/buildx#1726",),
    ),
    Symptom(
        id="R-tls",
        title="TLS does not agree with the registry",
        nature="configuration",
        where="a client that does not know the registry's certificate, or a registry without TLS",
        cause="The registry's certificate is not signed by an authority that this client knows, or the registry "
        "speaks plain HTTP. The engine's insecure-registries and certs.d do not count for `docker manifest` and "
        "`imagetools`.",
        do="give the client that failed the registry's CA certificate (or tell it that the registry is plain HTTP)",
        fixes=(
            "For the engine: /etc/docker/certs.d/HOST:PORT/ca.crt; for a builder of its own: `ca` in its "
            "buildkitd.toml.",
            "For `docker manifest`: the machine's own CA store, or --insecure.",
            "For `imagetools` on a registry without TLS: a builder whose buildkitd.toml has `http = true` for it.",
            "Where it worked yesterday: the certificate has expired, or this machine's clock is wrong.",
        ),
        signatures=(
            seen(
                "x509: certificate signed by unknown authority",
                score=85,
                says="the registry's certificate is signed by an authority that this client does not know",
            ),
            seen(
                "server gave HTTP response to HTTPS client",
                score=85,
                says="the registry speaks plain HTTP, and this client wants TLS",
            ),
            seen("first record does not look like a TLS handshake", score=85),
            seen(
                "x509: certificate has expired or is not yet valid",
                score=85,
                says="the registry's certificate has expired, or this machine's clock is wrong",
            ),
            seen("x509: ", score=70),
            seen("tls: failed to verify certificate", score=70),
        ),
        rules=("FA006", "FA114"),
        leads_to=("R-network",),
    ),
)
