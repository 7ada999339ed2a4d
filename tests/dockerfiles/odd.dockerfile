COPY --link --chown=before a b
FROM
COPY --link --chown=builder a b
ONBUILD
ONBUILD ONBUILD RUN x
COPY --LINK --chown=capital a b
COPY --link --chown a b
COPY --link --chown= a b
COPY --link --chown="quoted user" a b
COPY --link --chown=2147483648 a b
