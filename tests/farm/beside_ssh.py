"""What ssh believes of DNS, and what we believe: run in namespaces of its own (``unshare --mount --net``), as root.

Prints a JSON list: [options of resolv.conf, name, whether ssh logs in, what we say].
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from audit.wire.sshconfig import Route
from audit.wire.sshfp import Dns
from tests.farm.names import PLAIN, SIGNED, SPOILT, blob, names, sshfp
from tests.farm.sshd import keygen, sshd

OPTIONS = ("trust-ad", "edns0 trust-ad", "edns0")


def main(folder: Path) -> None:
    """`folder`: empty; for everything that is written."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "s").mkdir(mode=0o700)
    key = blob(keygen(folder / "s" / "host_key").with_suffix(".pub"))
    own, weak, other, rsa = sshfp(key), sshfp(key, kind=1), sshfp(b"other"), sshfp(b"other", algorithm=1)
    listed = {
        "good": [own], "full": [own, weak, rsa], "both": [own, other], "mixed": [own, sshfp(b"other", kind=1)],
        "weak": [weak], "other": [other], "rsa": [rsa], "none": [],
    }  # fmt: skip
    records = [f"{name} 60 {one}" for name, rows in listed.items() for one in ["A 127.0.0.1", *rows]]
    asked = [f"{name}.{SIGNED}" for name in (*listed, "alias")] + [f"good.{PLAIN}", f"good.{SPOILT}"]
    found = []
    with names(folder / "dns", [*records, "alias 60 CNAME good"], port=53), sshd(folder / "s") as server:
        for options in OPTIONS:
            file = folder / "resolv.conf"
            file.write_text(f"nameserver 127.0.0.1\noptions {options}\n", encoding="utf-8")
            subprocess.run(["mount", "--bind", file, "/etc/resolv.conf"], check=True)
            dns = Dns()
            for name in asked:
                settings = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "VerifyHostKeyDNS=yes")
                words = [word for one in (*settings, "BatchMode=yes", "IdentitiesOnly=yes") for word in ("-o", one)]
                words += ["-i", server.key, "-p", str(server.port), f"{server.user}@{name}", "echo in"]
                done = subprocess.run(["ssh", "-F", "none", *words], capture_output=True, timeout=30, check=False)
                word = dns.word(Route(alias="w", hostname=name, verify_dns="yes"), "ssh-ed25519", key)
                found.append((options, name, done.stdout == b"in\n", word.said if word else ""))
            subprocess.run(["umount", "/etc/resolv.conf"], check=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
