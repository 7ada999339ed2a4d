ARG WHO=builder
ARG NUMBER=1000
FROM alpine AS base
COPY --link --chown=$WHO a b
ARG WHO
COPY --link --chown=$WHO a b
ARG NUMBER
COPY --link --chown=${NUMBER}:${NUMBER} a b
ARG GIVEN
COPY --link --chown=$GIVEN a b
ARG GIVEN_NAME=1000
COPY --link --chown=$GIVEN_NAME a b
ENV ME=someone
COPY --link --chown=${ME:-1000} a b
COPY --link --chown="${ME:+1000}" a b
FROM base
COPY --link --chown=$ME a b
ENV ME 1000
COPY --link --chown=$ME a b
COPY --link --chown=$TARGETARCH a b
