FROM alpine
COPY --link --chown=1000:1000 a b
COPY --link --chown=1000 a b
COPY --link --chown=root a b
COPY --link --chown=root:root a b
COPY --link --chown=0:0 a b
ADD --link --chown=+7:-7 a b
COPY --link a b
COPY --link=false --chown=builder a b
COPY --link=False --chown=builder a b
