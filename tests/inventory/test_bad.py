"""All that can be wrong with an inventory or a policy: a case is a file, its companion says what the error says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import InventoryError, PlacedError, PolicyError
from audit.inventory import load
from audit.model import Fleet

BAD = Path(__file__).parent / "bad"
CASES = sorted(path for path in BAD.iterdir() if path.is_dir() or path.suffix == ".yml")
RULES = ["FA101", "FA201"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_bad_input_is_named_by_file_line_and_key(case: Path) -> None:
    """The error has the class, file, line and key of its companion, says what is wrong, and exits with 2."""
    companion = case / "expected.txt" if case.is_dir() else case.with_suffix(".txt")
    head, says = companion.read_text().strip().split("\n", 1)
    found = re.fullmatch(r"(\w+) ([^:\s]+)(?::(\d+))?(?: (.+))?", head)
    assert found, head
    kind, file, line, key = found.groups()

    with pytest.raises(PlacedError) as caught:
        load(case, known_rules=RULES)

    error = caught.value
    assert type(error) is {"InventoryError": InventoryError, "PolicyError": PolicyError}[kind]
    assert error.file == str(case / file if case.is_dir() else case)
    assert (error.line, error.key) == (int(line) if line else None, key), str(error)
    assert says in error.message
    assert error.exit_code == 2
    assert "\n" not in str(error)


def test_every_case_has_its_companion() -> None:
    """No companion without a case."""
    companions = {path.stem for path in BAD.glob("*.txt")}
    assert companions == {case.stem for case in CASES if case.is_file()}


def test_missing_path(tmp_path: Path) -> None:
    """A path that does not exist is named."""
    with pytest.raises(InventoryError, match="no such file or folder"):
        load(tmp_path / "nowhere.yml")


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without an inventory file says what to add."""
    (tmp_path / "README.md").write_text("# text")
    with pytest.raises(InventoryError, match=r"holds no inventory file: add a hosts\.yml"):
        load(tmp_path)


@pytest.mark.parametrize("data", [b"all:\n  hosts:\n    w1: \xff\n", b"all:\n  hosts:\n    w\x001:\n"])
def test_binary_file_names_the_line(tmp_path: Path, data: bytes) -> None:
    """A byte that is no text is found with its line."""
    path = tmp_path / "hosts.yml"
    path.write_bytes(data)
    with pytest.raises(InventoryError, match="not a UTF-8 text file") as caught:
        load(path)
    assert caught.value.line == 3


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read says so, also to root, for whom the test pretends."""

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "hosts.yml"
    path.write_text("all:\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InventoryError, match="cannot be read \\(Permission denied\\)") as caught:
        load(path)
    assert caught.value.file == str(path)


def test_a_device_is_no_inventory() -> None:
    """Something that is neither file nor folder is refused without being read."""
    with pytest.raises(InventoryError, match="neither a file nor a folder"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["[" * 1_000_000, "- " * 100_000 + "x", "{a: " * 5000])
def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path, text: str) -> None:
    """Nesting a million deep neither overflows a stack nor takes long."""
    path = tmp_path / "hosts.yml"
    path.write_text(text)
    with pytest.raises(InventoryError, match="nested too deeply"):
        load(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ["all:", "hosts:", "children:", "vars:", "w[1:2]:", "pool: no", "&a", "*a", "<<: *a", "[", "]", "{", "}",
             "- ", "? ", "!vault x", "!!int x", "\n", "\n  ", "\n    ", "\t", "'", '"', "|", "#", "---", "%",
             "audit_policy:", "x"]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_any_text_is_a_fleet_or_a_placed_error(tmp_path: Path, words: list[str]) -> None:
    """Whatever stands in a file, loading gives hosts, or an error that names the file."""
    path = tmp_path / "hosts.yml"
    path.write_text(" ".join(words).replace("\n ", "\n"))
    found: PlacedError | Fleet
    try:
        found = load(path)
    except PlacedError as error:
        found = error
    assert found.hosts if isinstance(found, Fleet) else found.file == str(path)
