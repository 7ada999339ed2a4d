"""Runs on a worker: the BuildKit inside its engine as an endpoint that buildx's driver `remote` can use.

dockerd serves its BuildKit by `POST /grpc` with an upgrade to h2c on its own socket; what buildx's driver `docker` does
inside one connection is done here once for each. Prints its port; ends when its standard input does.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

ENGINE = "/var/run/docker.sock"
_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on all that comes, then the end of it."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client: socket.socket) -> None:
    """One connection, from its upgrade to its end."""
    with client, socket.socket(socket.AF_UNIX) as engine:
        engine.connect(ENGINE)
        engine.sendall(_UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = engine.recv(1)
            if not byte:
                return
            head += byte
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            return
        back = threading.Thread(target=pump, args=(engine, client), daemon=True)
        back.start()
        pump(client, engine)
        back.join()


def main() -> None:
    """Serve until the input ends."""
    listener = socket.create_server(("0.0.0.0", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
