"""What is generated, and whether it is up to date: `python -m tests.docs --write | --check`.

- docs/rules.md: the rules' manual pages.
- docs/symptoms.md: what `diagnose` and `compat` know.
- docs/schema/*.json: JSON Schemas of the documents that the verbs read and write.
- docs/database.md: the tables of the history database.
- README.md: each fenced block under a line ``<!-- output: ARGUMENTS -->`` is what `fleet-audit ARGUMENTS` prints.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from audit.align.told import schema as align_schema
from audit.batch.reports import _forecast as batch_forecast
from audit.batch.reports import json as batch_json
from audit.batch.schema import schema as merge_plan_schema
from audit.buildstep import Report
from audit.cli.app import run
from audit.drift.document import schema_texts as drift_schemas
from audit.onboard.told import schema as onboarding_schema
from audit.reports import _compat as compat_report
from audit.reports import _diagnosis as diagnosis_report
from audit.reports import _forecast, _plan
from audit.reports import json as json_report
from audit.run import SavedRun
from audit.store.describe import describe
from audit.symptoms import all_symptoms

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- output: (?P<arguments>[^\n]+) -->\n```text\n)(?P<text>.*?)(```\n)", re.DOTALL)


def output_of(arguments: str) -> str:
    """What the command prints on stdout, 120 columns wide, without colour."""
    out = io.StringIO()
    with redirect_stdout(out):
        run(shlex.split(arguments))
    return out.getvalue()


def readme(text: str) -> str:
    """The README with every marked block printed anew."""
    return BLOCK.sub(lambda found: found[1] + output_of(found["arguments"]) + found[4], text)


def pages() -> dict[Path, str]:
    """Every generated file with what it should hold."""
    built = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema(mode="serialization")
    }  # fmt: skip
    return {
        ROOT / "docs" / "rules.md": output_of("rules --format markdown"),
        ROOT / "docs" / "symptoms.md": diagnosis_report.manual_markdown(all_symptoms()),
        ROOT / "docs" / "schema" / "compat.schema.json": compat_report.schema_text(),
        ROOT / "docs" / "schema" / "diagnosis.schema.json": diagnosis_report.schema_text(),
        ROOT / "docs" / "schema" / "run.schema.json": json_report.schema_text(),
        ROOT / "docs" / "schema" / "saved.schema.json": _tree(SavedRun.model_json_schema()),
        ROOT / "docs" / "schema" / "prediction.schema.json": _tree(_forecast.schema()),
        ROOT / "docs" / "schema" / "plan.schema.json": _tree(_plan.schema()),
        ROOT / "docs" / "schema" / "build.schema.json": _tree(built),
        ROOT / "docs" / "schema" / "merge-plan.schema.json": _tree(merge_plan_schema()),
        ROOT / "docs" / "schema" / "merge-batch.schema.json": _tree(batch_json.schema()),
        ROOT / "docs" / "schema" / "merge-forecast.schema.json": _tree(batch_forecast.schema()),
        **{ROOT / "docs" / "schema" / name: text for name, text in drift_schemas().items()},
        ROOT / "docs" / "schema" / "align.schema.json": _tree(align_schema()),
        ROOT / "docs" / "schema" / "onboarding.schema.json": _tree(onboarding_schema()),
        ROOT / "docs" / "database.md": describe(),
        ROOT / "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8")),
    }


def _tree(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are stale (exit 1)."""
    if arguments not in (["--write"], ["--check"]):
        print("usage: python -m tests.docs --write | --check", file=sys.stderr)
        return 2
    stale = {
        file: text for file, text in pages().items() if not file.exists() or file.read_text(encoding="utf-8") != text
    }
    for file, text in stale.items():
        name = file.relative_to(ROOT)
        if arguments == ["--check"]:
            print(f"{name} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return int(bool(stale) and arguments == ["--check"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
