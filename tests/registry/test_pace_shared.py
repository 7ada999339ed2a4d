"""One state for all processes: shared where it can be, and never a reason to fail where it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit.registry import AbuseLimit, Call, LoginLocked, PullQuota
from audit.registry.pace import Limiter, shared
from audit.registry.transport import Request

HUB = "docker.io"


class Clocks:
    """A monotonic clock and a wall clock that a test moves; waiting moves both."""

    def __init__(self, at: float = 1000.0) -> None:
        """Some while after the boot, at some time."""
        self.at, self.wall = at, 1_700_000_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Since the boot."""
        return self.at

    def now(self) -> float:
        """UNIX time."""
        return self.wall

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.slept.append(seconds)
        self.at += seconds
        self.wall += seconds

    def limiter(self, folder: Path | None, boot: str = "boot", rate: float | None = 300.0) -> Limiter:
        """One process's limiter."""
        return Limiter(
            folder, rates={HUB: rate}, clock=self.clock, now=self.now, sleep=self.sleep, draw=lambda low, high: low,
            boot=boot,
        )  # fmt: skip


def request(kind: str = "PUT manifest", account: str = "robot", *, login: bool = False, sent: float = 0.0) -> Request:
    """One for Docker Hub."""
    return Request(Call(kind, HUB, "team/app"), kind.split()[0], HUB, "registry-1.docker.io", account, login, sent)


def went(limiter: Limiter, clocks: Clocks, most: int = 1000) -> int:
    """How many go at once."""
    for count in range(most):
        before = len(clocks.slept)
        limiter.before(request())
        if len(clocks.slept) > before:
            return count
    return most


def test_two_processes_have_one_bucket(tmp_path: Path) -> None:
    """What one has taken, the other has not; a 429 of one pauses the other; other accounts have their own."""
    clocks = Clocks()
    one, two = clocks.limiter(tmp_path), clocks.limiter(tmp_path)
    for _ in range(200):
        one.before(request())
    assert went(two, clocks) == 100
    sent = one.before(request())
    one.failed(request(sent=sent), AbuseLimit(request().call, "x", after=30))
    assert two.state(HUB, "robot").paused == pytest.approx(30)
    assert two.state(HUB, "robot").rate == 150
    assert two.state(HUB).rate == 300
    slept = sum(clocks.slept)
    two.before(request())
    assert sum(clocks.slept) - slept == pytest.approx(30)


COUNT = """
import sys
from pathlib import Path
from audit.registry.failures import Call
from audit.registry.pace import Limiter, Stopped
from audit.registry.transport import Request

class Full(Exception): pass
def sleep(seconds): raise Full
limiter = Limiter(Path(sys.argv[1]), rates={"docker.io": 12000}, clock=lambda: 1e6, sleep=sleep, boot="x")
request = Request(Call("HEAD blob", "docker.io"), "HEAD", "docker.io", "x", "robot")
count = 0
print("ready", flush=True)
sys.stdin.readline()
try:
    while True:
        limiter.before(request)
        count += 1
except Full:
    print(count)
"""


def test_real_processes_together_take_what_one_bucket_holds(tmp_path: Path) -> None:
    """Four processes at once: not one request more than the bucket held (57 seconds' worth), and not one less."""
    command = [sys.executable, "-c", COUNT, str(tmp_path / "pace")]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(counts) == 0.95 * 12000
    assert (tmp_path / "pace").stat().st_mode & 0o777 == 0o700


def test_many_threads_take_what_one_bucket_holds(tmp_path: Path) -> None:
    """Eight threads with one limiter, and another limiter's on the same files."""
    clocks = Clocks()
    limiters = [clocks.limiter(tmp_path), clocks.limiter(tmp_path)]

    def take(number: int) -> None:
        limiters[number % 2].before(request())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(300)))
    assert not clocks.slept
    assert limiters[0].state(HUB, "robot").tokens == 0


def test_no_secret_and_no_account_in_the_folder(tmp_path: Path) -> None:
    """A file's name and text hold neither; it is ours alone."""
    clocks = Clocks()
    limiter = clocks.limiter(tmp_path / "a" / "pace")
    limiter.before(request(account="sam.secret"))
    (file,) = (tmp_path / "a" / "pace").iterdir()
    assert file.name.startswith("docker.io.")
    assert "sam" not in file.name
    assert b"sam" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == 1024
    limiter.close()


def spoil_text(text: bytes) -> Callable[[Path], None]:
    """Somebody has written that."""

    def spoil(file: Path) -> None:
        file.write_bytes(text)

    return spoil


def spoil_mode(file: Path) -> None:
    """Everybody may write it."""
    file.chmod(0o666)


def spoil_link(file: Path) -> None:
    """It is a link to elsewhere."""
    file.rename(file.with_suffix(".real"))
    file.symlink_to(file.with_suffix(".real"))


def spoil_kind(file: Path) -> None:
    """It is a pipe."""
    file.unlink()
    os.mkfifo(file)


def spoil_folder(file: Path) -> None:
    """It is a folder."""
    file.unlink()
    file.mkdir()


SPOILT: dict[str, tuple[Callable[[Path], None], bool]] = {
    "empty": (spoil_text(b""), True),
    "garbage": (spoil_text(os.urandom(4000)), True),
    "cut short": (lambda file: os.truncate(file, 900), True),
    "deep": (spoil_text(b"[" * 9000), True),
    "another's JSON": (spoil_text(b'{"a": 1}'), True),
    "of a later version": (spoil_text(b'[99, {"anything": []}]'), False),
    "everybody's": (spoil_mode, False),
    "a link": (spoil_link, False),
    "a pipe": (spoil_kind, False),
    "a folder": (spoil_folder, False),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_file_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    """Garbage is written over; what is not ours to write is left as it is, and this process keeps its own state."""
    spoil, again = SPOILT[name]
    clocks = Clocks()
    first = clocks.limiter(tmp_path)
    first.before(request())
    first.close()
    (file,) = tmp_path.iterdir()
    spoil(file)
    kept = file.read_bytes() if file.is_file() else b""
    one, two = clocks.limiter(tmp_path), clocks.limiter(tmp_path)
    assert [one.before(request()) for _ in range(250)] == [1000.0] * 250
    assert went(two, clocks) == (50 if again else 300)
    if not again:
        assert (file.read_bytes() if file.is_file() else b"") == kept
    one.close()
    two.close()


@pytest.mark.parametrize("where", ["none", "a file", "everybody's", "nowhere", "no boot"])
def test_a_folder_that_cannot_be_used(tmp_path: Path, where: str) -> None:
    """No folder, or one that others may write to: each process has its own bucket, and no error comes of it."""
    folder: Path | None = tmp_path / "pace"
    if where == "none":
        folder = None
    elif where == "a file":
        (tmp_path / "pace").write_text("x")
    elif where == "everybody's":
        (tmp_path / "pace").mkdir()
        (tmp_path / "pace").chmod(0o777)
    elif where == "nowhere":
        folder = Path("/proc/nowhere/pace")
    clocks = Clocks()
    boot = "" if where == "no boot" else "boot"
    one, two = clocks.limiter(folder, boot), clocks.limiter(folder, boot)
    assert went(one, clocks) == 300
    assert went(two, clocks) == 300


def test_a_lock_that_nobody_gives_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped while it held the lock stops nobody else for long."""
    monkeypatch.setattr(shared, "_LOCK_TRIES", 3)
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    one.before(request())
    (file,) = tmp_path.iterdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,sys;f=open(sys.argv[1]);fcntl.flock(f,2);print(1,flush=True);input()",
         str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    assert went(one, clocks) == 299, "it goes on from what it knew"
    holder.communicate(b"\n", timeout=20)


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """Somebody clears the folder: the state goes on in a new file."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    for _ in range(100):
        one.before(request())
    (file,) = tmp_path.iterdir()
    file.unlink()
    one.before(request())
    assert went(clocks.limiter(tmp_path), clocks) == 199


def test_a_full_disk_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is known to this process all the same."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert went(one, clocks) == 300


@pytest.mark.parametrize("jump", [-400 * 86400.0, 400 * 86400.0])
def test_jumps_of_the_wall_clock_do_nothing(tmp_path: Path, jump: float) -> None:
    """Pauses, pulls and locked logins end when they would have; another process sees them alike."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    sent = one.before(request())
    one.failed(request(sent=sent), AbuseLimit(request().call, "x", after=30))
    one.failed(request(sent=sent), LoginLocked(request().call, "x"))
    one.seen(request("HEAD manifest"), 200, {"ratelimit-remaining": "0;w=3600"})
    clocks.wall += jump
    for limiter in (one, clocks.limiter(tmp_path)):
        assert limiter.state(HUB, "robot").paused == pytest.approx(30)
        with pytest.raises(PullQuota) as pulls:
            limiter.before(request("GET manifest"))
        with pytest.raises(LoginLocked) as locked:
            limiter.before(request("token", login=True))
        assert (pulls.value.after, locked.value.after) == (3600, 900)


def test_a_reboot_resets_all_but_pulls_and_logins(tmp_path: Path) -> None:
    """Another boot's moments mean nothing; what lasts by the wall clock goes on."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    sent = one.before(request())
    one.failed(request(sent=sent), AbuseLimit(request().call, "x", after=30))
    one.failed(request(sent=sent), LoginLocked(request().call, "x"))
    one.seen(request("HEAD manifest"), 200, {"ratelimit-remaining": "0;w=3600"})
    clocks.wall += 300
    clocks.at = 5.0
    two = clocks.limiter(tmp_path, "another")
    now = two.state(HUB, "robot")
    assert (now.rate, now.tokens, now.paused, now.reads_left) == (300, 300, 0, 0)
    with pytest.raises(LoginLocked) as locked:
        two.before(request("token", login=True))
    assert locked.value.after == pytest.approx(600)


def test_moments_of_another_clock_are_garbage(tmp_path: Path) -> None:
    """A state whose moments lie far ahead is none: it would pause for ever."""
    Clocks(9e6).limiter(tmp_path).before(request())
    clocks = Clocks()
    assert went(clocks.limiter(tmp_path), clocks) == 300


def test_one_request_costs_little(tmp_path: Path) -> None:
    """Nothing is written where nothing changed, and one small write does for a request; the text is one line."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    writes: list[int] = []
    real = os.pwrite

    def counted(file: int, data: bytes, offset: int) -> int:
        writes.append(len(data))
        return real(file, data, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", counted)
        for _ in range(10):
            one.before(request())
            one.seen(request(), 200, {})
            one.state(HUB, "robot")
    assert writes == [1024] * 10
    (file,) = tmp_path.iterdir()
    assert file.read_bytes().count(b"\n") == 1
    assert json.loads(file.read_bytes())[0] == 1


def test_threads_that_ask_while_it_is_closed(tmp_path: Path) -> None:
    """Closing takes no state away and breaks nothing."""
    clocks = Clocks()
    one = clocks.limiter(tmp_path)
    done = threading.Event()

    def closes() -> None:
        while not done.is_set():
            one.close()

    other = threading.Thread(target=closes)
    other.start()
    try:
        assert went(one, clocks) == 300
    finally:
        done.set()
        other.join(10)
