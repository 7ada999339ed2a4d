FROM scratch
COPY --chown=builder a b
COPY --chown=builder a b
FROM scratch AS two
WORKDIR /x
COPY --chown=builder a b
FROM scratch
ADD --link --chmod=600 --chown=builder a b
FROM two
COPY --chown=builder a b
