FROM alpine
COPY --link --chmod=755 --chown=builder a b
COPY --chown=builder --chmod=u=rw,go=r --link a b
COPY --link --chmod= --chown=builder a b
ARG MODE
COPY --link --chmod=$MODE --chown=builder a b
ARG MODE2=644
COPY --link --chmod=${MODE2} --chown=builder a b
