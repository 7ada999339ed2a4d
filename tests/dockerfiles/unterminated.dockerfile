FROM alpine
COPY --link --chown=builder a b
RUN <<EOF
COPY --link --chown=lost a b
