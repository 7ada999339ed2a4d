FROM scratch
COPY passwd /etc/passwd
COPY --link --chown=$WHO a b
COPY --link --chown=${WHO:-builder} a b
ARG WHO
COPY --link --chown=$WHO a b
COPY --link --chown=$TARGETOS a b
