# syntax=docker/dockerfile:1
FROM debian:12 AS opam-bin
RUN apt-get update && apt-get install -y build-essential
WORKDIR /usr/src
COPY . .

FROM debian:12
COPY --link --from=opam-bin /usr/bin/opam /usr/bin/
RUN echo 'Acquire::Retries "5";' > /etc/apt/apt.conf.d/retry
RUN addgroup --gid 1001 opam && \
    adduser --uid 1000 --gid 1001 --disabled-password --gecos '' opam
COPY --link --chown=opam:opam [".bashrc", "/home/opam/.bashrc"]
COPY --chown=opam:opam .profile /home/opam/
USER opam
ADD --link --chown=opam https://example.org/x.tar /home/opam/
