# syntax=docker/dockerfile:1
FROM alpine
RUN <<EOF
COPY --link --chown=inside a b
adduser -D -u 1600 inner
EOF
RUN <<-"END" cat >/x && <<'OTHER' cat
	COPY --link --chown=inside a b
	END
COPY --link --chown=inside a b
OTHER
COPY --link --chown=inner <<FILE /etc/file
hello
FILE
COPY --link --chown=builder a b
RUN ["sh", "-c", "cat <<EOF"]
COPY --link --chown=json a b
RUN echo $((1 << 2)) "<<EOF"
ONBUILD COPY --link --chown=trigger <<X /x
COPY --link --chown=inside a b
X
ONBUILD RUN true
