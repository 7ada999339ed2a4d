"""The script of a build: well formed, and run for real by every shell against a stand-in for docker."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.buildstep import Hearing, Job, do_script, stdin_of, undo_script
from audit.buildstep.script import LOGIN, login_text
from audit.engines.build import STDIN, Command, Read
from tests.wire.shells import SHELLS, stand_in

NONCE = secrets.token_hex(16)  # tests run side by side, and the private folder is named after it
REFERENCE = "r.example:5000/staging/app:1-arm64"
DIGEST = f"sha256:{6:064d}"
DOCKER = """
echo "$*" >>"$FAKE/calls"
case "$1 $2" in
'image inspect') [ ! -s "$FAKE/tagged" ] || { cat "$FAKE/tagged"; exit 0; }; exit 1 ;;
'image rm') case $3 in sha256:*) ;; *) : >"$FAKE/tagged" ;; esac ;;
'tag '*) echo "$2" >"$FAKE/tagged" ;;
'context inspect') echo remote ;;
'buildx build' | 'build '*)
  case $1 in build) shift ;; *) shift 2 ;; esac
  for w in "$@"; do case $w in
  --secret=*) cat "${w##*src=}" >"$FAKE/secret"; stat -c %a "$(dirname "${w##*src=}")" >"$FAKE/mode" ;;
  --metadata-file=*) printf '{\\n "containerimage.digest": "sha256:%064d",\\n "x": 1 }' 6 >"${w#*=}" ;;
  esac; done
  cat >"$FAKE/context"
  echo 'step 1'; echo 'ERROR: step 2' >&2
  [ -z "$FAKE_BUILD" ] || exit "$FAKE_BUILD"
  echo sha256:new >"$FAKE/tagged" ;;
'push '*)
  cp -r "${DOCKER_CONFIG:-/nowhere}" "$FAKE/config" 2>/dev/null; echo "${DOCKER_CONTEXT:-none}" >"$FAKE/context-name"
  [ -z "$FAKE_PUSH" ] || { echo denied >&2; exit "$FAKE_PUSH"; }
  printf '1-arm64: digest: sha256:%064d size: 529\\n' 6 ;;
esac
exit 0
"""


def job(*files: tuple[str, int], pushes: bool = False, git: bool = False) -> Job:
    """A build with a secret and, where it pushes by itself, a metadata file."""
    flags = ["--push", "--metadata-file={scratch}/metadata.json"] if pushes else []
    secret = ["--secret=id=tok,src={scratch}/secret-tok"] if files else []
    source = "https://e.org/x.git" if git else STDIN
    return Job(
        nonce=NONCE,
        reference=REFERENCE,
        build=Command(
            environment=(("DOCKER_BUILDKIT", "1"),),
            argv=("docker", "buildx", "build", *flags, *secret, "--build-arg=A=it's {scratch} $HOME", source),
            stdin="nothing" if git else "context",
        ),
        push=None if pushes else Command(argv=("docker", "push", REFERENCE)),
        read=Read(how="metadata-file", file="{scratch}/metadata.json", key="containerimage.digest")
        if pushes
        else Read(how="push-line"),
        files=files,
    )


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Path]:
    """A folder with a docker that keeps one tag; after the test no private folder is left anywhere."""
    for name in ("bin", "fake", "home/.docker/contexts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "fake/tagged").touch()
    stand_in(tmp_path / "bin", "docker", DOCKER)
    yield tmp_path
    assert folders() == []


def folders() -> list[Path]:
    """Private folders of ours, wherever they can be."""
    return [path for place in ("/dev/shm", "/run", "/tmp") for path in Path(place).glob(f"fleet-audit-build-{NONCE}*")]


def run(
    fake: Path, what: Job, stdin: bytes = b"", *, undo: bool = True, shell: list[str] | None = None, **more: str

) -> tuple[int, Hearing]:  # fmt: skip
    """Run the script and what takes it back, as a session does; the exit status, and what was heard."""
    environment = {
        "PATH": f"{fake}/bin:/usr/bin:/bin", "HOME": str(fake / "home"), "FAKE": str(fake / "fake"), "FAKE_BUILD": "",
        "FAKE_PUSH": "",
    } | more  # fmt: skip
    command = shell or ["/bin/sh"]
    done = subprocess.run([*command, "-c", do_script(what), "sh", ""], input=stdin, env=environment,
                          capture_output=True, timeout=60, check=False)  # fmt: skip
    heard = Hearing(NONCE, "1-arm64")
    for stream, raw in (("stdout", done.stdout), ("stderr", done.stderr)):
        for line in raw.decode().splitlines():
            if line:
                heard.take(stream, line)
    if undo:
        again = subprocess.run([*command, "-c", undo_script(what), "sh", ""], env=environment,
                               capture_output=True, timeout=60, check=False)  # fmt: skip
        assert again.returncode == 0, again
    return done.returncode, heard


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_builds_and_pushes(fake: Path, shell: list[str]) -> None:
    """Secret and login arrive whole and in a folder of mode 700, the context is what stands behind them."""
    config = login_text("r.example:5000", username="me", password="p w")
    what = job(("secret-tok", 9), (LOGIN, len(config)))
    context = bytes(range(256)) * 300
    stdin = b"".join(stdin_of(what, {"secret-tok": b"s3cret\n\0x", LOGIN: config}, [context]))
    status, heard = run(fake, what, stdin, shell=shell)
    assert (status, heard.build, heard.push, heard.digest, heard.phase) == (0, 0, 0, DIGEST, "pushed")
    assert (fake / "fake/secret").read_bytes() == b"s3cret\n\0x"
    assert (fake / "fake/mode").read_text() == "700\n"
    assert (fake / "fake/context").read_bytes() == context
    assert (fake / "fake/config/config.json").read_bytes() == config
    assert (fake / "fake/config/contexts").is_dir()
    assert (fake / "fake/context-name").read_text() == "remote\n"
    assert list(heard.lines) == ["step 1", f"1-arm64: digest: {DIGEST} size: 529", "ERROR: step 2"]


def test_arguments_are_nobodys_to_read_but_dockers(fake: Path) -> None:
    """Quotes, dollars and the mark of the folder in a build argument arrive as they were written."""
    run(fake, job())
    assert "--build-arg=A=it's {scratch} $HOME -\n" in (fake / "fake/calls").read_text()


def test_a_builder_that_pushes_is_read_by_its_metadata(fake: Path) -> None:
    """The digest is that of the metadata file in the private folder; no push follows."""
    status, heard = run(fake, job(pushes=True))
    assert (status, heard.digest, heard.push) == (0, DIGEST, None)
    assert "push r.example" not in (fake / "fake/calls").read_text()


def test_a_git_context_reads_nothing(fake: Path) -> None:
    """What stands on stdin is not the build's."""
    run(fake, job(git=True), b"not for you")
    assert (fake / "fake/context").read_bytes() == b""


@pytest.mark.parametrize("before", ["", "sha256:old"])
def test_a_failed_push_gives_the_tag_back(fake: Path, before: str) -> None:
    """The tag names what it named before, or nothing; the exit status is docker's."""
    (fake / "fake/tagged").write_text(f"{before}\n" if before else "")
    status, heard = run(fake, job(), FAKE_PUSH="9")
    assert (status, heard.build, heard.push, heard.digest) == (9, 0, 9, None)
    assert (fake / "fake/tagged").read_text().strip() == before


def test_a_failed_build_pushes_nothing(fake: Path) -> None:
    """The exit status is docker's, and the tag was never touched."""
    status, heard = run(fake, job(), FAKE_BUILD="4")
    assert (status, heard.build, heard.push) == (4, 4, None)
    assert "push" not in (fake / "fake/calls").read_text()


def test_what_was_ended_from_outside_is_taken_back(fake: Path) -> None:
    """The engine had come to the end of the build: the tag is given back by the undoing."""
    what = job()
    run(fake, what, undo=False, FAKE_BUILD="4")
    (fake / "fake/tagged").write_text("sha256:half\n")
    environment = {"PATH": f"{fake}/bin:/usr/bin:/bin", "HOME": str(fake), "FAKE": str(fake / "fake")}
    again = subprocess.run(["/bin/sh", "-c", undo_script(what), "sh", "yes"], env=environment, timeout=60, check=False)
    assert again.returncode == 0
    assert (fake / "fake/tagged").read_text() == ""


def test_a_header_cut_short_begins_nothing(fake: Path) -> None:
    """The connection ended inside a secret: refused, and docker build was never run."""
    status, heard = run(fake, job(("secret-tok", 9)), b"s3c")
    assert (status, heard.build) == (3, None)
    assert "connection ended before the context" in heard.refused


def test_without_docker_it_does_not_begin(fake: Path) -> None:
    """One of our lines says so, and no folder is made."""
    (fake / "bin/docker").unlink()
    status, heard = run(fake, job(), PATH=f"{fake}/bin:/usr/bin:/bin")
    assert status == 3
    assert heard.refused == "there is no docker command"


def test_the_script_holds_no_secret() -> None:
    """It goes on a command line: only names and lengths of the private files stand in it."""
    config = login_text("r.example:5000", username="me", password="hidden-word")
    text = do_script(job(("secret-tok", 11), (LOGIN, len(config))))
    assert "hidden-word" not in text
    assert f"take docker/config.json {len(config)}" in text


def test_a_wrong_length_is_our_own_fault() -> None:
    """A frame that the worker would read wrongly is never sent."""
    with pytest.raises(ValueError, match="not 5"):
        list(stdin_of(job(("secret-tok", 5)), {"secret-tok": b"four"}, []))


def test_a_nonce_is_hexadecimal() -> None:
    """Whatever else would stand unquoted in a shell."""
    with pytest.raises(ValueError, match="no nonce"):
        do_script(job().model_copy(update={"nonce": "$(id)"}))
