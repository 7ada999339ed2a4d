FROM scratch
ONBUILD ADD --link --chown=builder a b
ONBUILD COPY --chown=builder a b
ONBUILD COPY --link --chown=1:1 a b
