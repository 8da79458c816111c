"""What the documents show is true: manifests fit the kinds, commands exist, links lead somewhere."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from eventstreams.api.kinds import KINDS
from eventstreams.core import names
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders.common import CONFIG_DIGEST
from eventstreams.instance.drift import APPLIED_DIGEST
from unit.docs import pages
from unit.docs.pages import ROOT, Block

MANIFESTS = [(place, one) for place, one in pages.manifests() if one.get("apiVersion") == names.API_VERSION]
COMMANDS = re.compile(r"kubectl es ([a-z-]+)((?: +(?!\|)[^\s`|#>)]+)*)")


def said_in(folder: str, pattern: str) -> set[str]:
    return {
        found
        for path in (ROOT / folder).rglob("*.py")
        for found in re.findall(pattern, path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize(("place", "manifest"), MANIFESTS, ids=[f"{place}-{one['kind']}" for place, one in MANIFESTS])
def test_a_manifest_in_the_documents_fits_its_kind(place: str, manifest: dict[str, Any]) -> None:
    (kind,) = (one for one in KINDS if one.kind == manifest["kind"])

    read = kind.spec.model_validate(manifest["spec"])

    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest["spec"]


@pytest.mark.parametrize("block", list(pages.shell()), ids=lambda block: block.place)
def test_a_block_of_shell_is_shell(block: Block) -> None:
    ran = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)

    assert ran.stderr == ""


def test_every_command_that_is_shown_exists_with_its_flags() -> None:
    sections = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8").split("\n## `kubectl es ")[1:]
    flags_of = {section.partition("`")[0]: set(re.findall(r"--[a-z-]+", section)) for section in sections}
    shown = {
        (path.name, command, rest)
        for path in pages.PAGES
        for command, rest in COMMANDS.findall(path.read_text(encoding="utf-8"))
    }

    unknown = [
        (page, command, rest)
        for page, command, rest in shown
        if command not in flags_of or not set(re.findall(r"--[a-z-]+", rest)) <= flags_of[command]
    ]

    assert unknown == []


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = {
        (path.name, target)
        for path in pages.PAGES
        for target in re.findall(r"(?:`|^ *)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert {one for one in shown if one[1] not in targets} == set()


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        (place, str(file.relative_to(ROOT)), anchor)
        for place, file, anchor in pages.links()
        if not file.exists() or (anchor and anchor not in pages.anchors(file))
    ]

    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {file for place, file, _ in pages.links() if place.startswith("docs/README.md:")}

    assert [path for path in pages.PAGES if ROOT / "docs" in path.parents and path not in {*linked, index}] == []


def test_every_reason_is_given_somewhere_and_documented() -> None:
    given = said_in("operator/eventstreams", r"\bReason\.([A-Z_]+)\b")
    page = (ROOT / "docs/reference/reasons.md").read_text(encoding="utf-8")

    assert [reason for reason in Reason if reason.name not in given or f"| `{reason}` |" not in page] == []


def test_every_label_and_annotation_is_documented() -> None:
    ours = {value for value in vars(names).values() if isinstance(value, str) and value.startswith(f"{names.GROUP}/")}
    page = (ROOT / "docs/reference/labels-and-annotations.md").read_text(encoding="utf-8")

    undocumented = {name for name in ours | {CONFIG_DIGEST, APPLIED_DIGEST} if f"`{name}`" not in page}

    assert undocumented == {names.API_VERSION}


def test_every_decision_on_the_rest_api_names_a_test_that_exists() -> None:
    page = (ROOT / "docs/reference/rest-api.md").read_text(encoding="utf-8").partition("## Decisions")[2]
    named = {row.rpartition(" | ")[2].removesuffix(" |") for row in re.findall(r"^\| .+ \|$", page, re.MULTILINE)}
    cases = {
        case["name"]
        for path in (ROOT / "tests/unit/producer/http_cases").glob("*.toml")
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    }

    assert len(named) > 40
    assert named - said_in("tests", r"def (test_\w+)") - cases == {"Test", "---"}


def test_no_page_names_a_path_of_a_machine() -> None:
    told = [path.name for path in pages.PAGES if re.search(r"(?<![\w.])/(home|root|work)/", Path.read_text(path))]

    assert told == []
