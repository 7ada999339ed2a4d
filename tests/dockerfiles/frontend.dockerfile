# syntax=ghcr.io/someone/frontend:2
FROM alpine
COPY --link --chown=builder a b
