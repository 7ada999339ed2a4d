FROM alpine
RUN addgroup -g 2000 staff2; adduser -D -u 1234 -G staff2 worker
COPY --link --chown=1234:staff2 a b
COPY --link --chown=:staff2 a b
COPY --link --chown=worker a b
COPY --link=TRUE --chown=nobody:2000 a b
