"""The scripts of a probe: well formed, golden, and run for real against a stand-in for docker."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.probe.answers import Answers, read
from audit.probe.script import Work, do_script, stdin_of, undo_script
from audit.probe.ways import LINES, way_of
from audit.shape import parse_how
from tests.wire.shells import SHELLS, stand_in

NONCE = secrets.token_hex(8)  # tests run side by side, and the script's folder is named after it
EVERY = tuple(way_of(parse_how(line)) for line in LINES)
GOLDEN = Path(__file__).parent / "golden"

DOCKER = """
echo "$(id -un) $*" >>"$FAKE/calls"
tag= iid= last=
for w in "$@"; do
  case $last in -t) tag=$w ;; --iidfile) iid=$w ;; esac
  last=$w
done
case "$1 $2" in
'info --format') echo '[["Backing Filesystem","extfs"]]' ;;
'build '* | 'buildx build')
  cat >"$FAKE/context-$$.tar"
  [ -z "$FAKE_FAILS" ] || { echo "ERROR: $FAKE_FAILS" >&2; exit 7; }
  printf 'sha256:%064d' 5 >"$iid"; echo "$tag" >>"$FAKE/images" ;;
'image inspect')
  case $3 in sha256:*) exit 0 ;; esac
  grep -qxF -e "$3" "$FAKE/images" || { echo 'Error: No such image' >&2; exit 1; } ;;
'image ls') [ ! -s "$FAKE/stuck" ] || cat "$FAKE/stuck" ;;
'image rm') for w in "$@"; do grep -vxF -e "$w" "$FAKE/images" >"$FAKE/new"; mv "$FAKE/new" "$FAKE/images"; done ;;
'push '*) printf '%s: digest: sha256:%064d size: 529\\n' "$2" 6 ;;
esac
exit 0
"""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Path]:
    """A folder with a docker that keeps a list of images, and a home."""
    for name in ("bin", "fake"):
        (tmp_path / name).mkdir()
    (tmp_path / "fake/images").touch()
    stand_in(tmp_path / "bin", "docker", DOCKER)
    yield tmp_path
    assert not list(Path("/tmp").glob(f"fleet-audit-{NONCE}*"))


def work(count: int = 1, registry: str | None = "r.example:5000/scratch") -> Work:
    """Some of the usual ways."""
    return Work(nonce=NONCE, ways=EVERY[:count], registry=registry)


def run(fake: Path, text: str, *arguments: str, stdin: bytes = b"", shell: list[str] | None = None, **more: str) -> str:
    """Run a script; what it printed on stdout."""
    environment = {"PATH": f"{fake}/bin:/usr/bin:/bin", "HOME": str(fake), "FAKE": str(fake / "fake"), "FAKE_FAILS": ""}
    done = subprocess.run(
        [*(shell or ["/bin/sh"]), "-c", text, "sh", *arguments],
        input=stdin, env=environment | more, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.decode()


def probed(fake: Path, what: Work, shell: list[str] | None = None, fails: str = "") -> Answers:
    """Build, and take it back; the answers of both."""
    out = run(fake, do_script(what), stdin=b"".join(stdin_of(what)), shell=shell, FAKE_FAILS=fails)
    out += run(fake, undo_script(what), "", shell=shell)
    return read(out.splitlines(), NONCE, len(what.ways))


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("make", [do_script, undo_script])
def test_the_scripts_are_well_formed(shell: list[str], make: object) -> None:
    """Every shell takes them without running them."""
    assert callable(make)
    for count in (1, len(EVERY)):
        subprocess.run([*shell, "-n"], input=make(work(count)).encode(), check=True, capture_output=True)


@pytest.mark.parametrize("name", ["do", "undo"])
def test_the_scripts_are_the_golden_ones(name: str) -> None:
    """What runs on a worker changes only on purpose: FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites it."""
    what = Work(nonce="0123456789abcdef", ways=EVERY[:2], registry="r.example:5000/scratch")
    text = {"do": do_script, "undo": undo_script}[name](what)
    file = GOLDEN / f"{name}.sh"
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("count", [1, len(EVERY)])
def test_every_shell_gives_the_same_answers(fake: Path, shell: list[str], count: int) -> None:
    """One way reads its context off stdin, several off a file; each is built, inspected, pushed and removed."""
    answers = probed(fake, work(count), shell)
    assert answers.store == "graphdriver"
    assert sorted(answers.told) == list(range(count))
    for number, told in answers.told.items():
        assert (told.build, told.iid_usable) == (0, True)
        assert told.push == (None if EVERY[number].pushes else 0)
    assert answers.told[0].pushed == f"sha256:{6:064d}"
    assert answers.link.works is True
    assert answers.left == ()
    assert (fake / "fake/images").read_text(encoding="utf-8") == ""


def test_the_context_arrives_byte_for_byte(fake: Path) -> None:
    """What the builds read is what was sent, and no build reads another's."""
    what = work()
    link, image = stdin_of(what)
    probed(fake, what)
    contexts = {file.read_bytes() for file in (fake / "fake").rglob("context*.tar")}
    assert contexts <= {link, image}
    assert contexts


def test_a_failing_build_leaves_its_log(fake: Path) -> None:
    """Its status and its words come back; nothing is pushed."""
    answers = probed(fake, work(), fails="attestations are not \x1b[31mfor you")
    told = answers.told[0]
    assert (told.build, told.push) == (7, None)
    assert told.log == ("ERROR: attestations are not  [31mfor you",)
    assert " push " not in (fake / "fake/calls").read_text(encoding="utf-8")


def test_nothing_is_pushed_without_a_registry(fake: Path) -> None:
    """The image is looked at where it is."""
    answers = probed(fake, work(registry=None))
    assert answers.files == {0: {"image": b""}}
    assert " push " not in (fake / "fake/calls").read_text(encoding="utf-8")


def test_an_image_that_stays_is_told(fake: Path) -> None:
    """An engine that does not let go of it: the undoing fails and says what is left."""
    (fake / "fake/stuck").write_text("sha256:abc\n", encoding="utf-8")
    answers = probed(fake, work())
    assert any("images are left" in said for said in answers.left)


def test_undoing_what_was_never_begun_asks_nobody(fake: Path) -> None:
    """Without our folder there is nothing of ours: not one call of docker."""
    assert run(fake, undo_script(work()), "yes") == ""
    assert not (fake / "fake/calls").exists()


def test_undoing_twice_is_well(fake: Path) -> None:
    """A second time finds nothing."""
    probed(fake, work())
    assert run(fake, undo_script(work()), "yes") == ""


def test_a_folder_that_is_there_already_is_not_ours(fake: Path) -> None:
    """Somebody else's folder of that name, or a link laid there: nothing is built."""
    folder = Path(work().folder)
    folder.symlink_to(fake)
    try:
        out = run(fake, do_script(work()), stdin=b"".join(stdin_of(work())))
    finally:
        folder.unlink()
    assert "cannot be made" in read(out.splitlines(), NONCE, 1).refused
    assert not (fake / "fake/calls").exists()


def test_without_docker_it_says_so(fake: Path) -> None:
    """One sentence, and no folder."""
    out = run(fake, do_script(work()), PATH="/nowhere")
    assert "no docker command" in read(out.splitlines(), NONCE, 1).refused


def test_a_bad_nonce_is_no_script() -> None:
    """It stands in paths and patterns: letters of ours only."""
    with pytest.raises(ValueError, match="no nonce"):
        do_script(Work(nonce="../../etc", ways=EVERY[:1]))
