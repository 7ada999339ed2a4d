from alpine

run adduser -u 1500 \
    # who builds
    -D \

    builder
copy --link \
  # to whom
  --chown=builder:1500 \
  a \
  b
	CoPy --chown=builder   --link a b
# COPY --link --chown=commented a b
RUN echo "COPY --link --chown=quoted a b"
COPY a --link --chown=late b
COPY -- --link --chown=behind a b
