"""The project's documents taken apart: blocks of code, manifests, headings and links of every page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for top in ("docs", "deploy", "operator") for path in (ROOT / top).rglob("*.md"))]
)
SHEETS = sorted([*(ROOT / "deploy/examples").glob("*.yaml"), *ROOT.glob("charts/*/templates/NOTES.txt")])

_BLOCK = re.compile(r"^( *)```([a-z]+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HERE = re.compile(r"<<(MANIFEST|YAML)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]*`")
_PLACEHOLDER = re.compile(r"<[a-z][a-z _-]*>")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code; `place` is `path:line`."""

    place: str
    language: str
    text: str


def place_of(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def blocks(*languages: str) -> Iterator[Block]:
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(page):
            indent, language, text = match.groups()
            if language in languages:
                line = page.count("\n", 0, match.start()) + 1
                yield Block(place_of(path, line), language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))


def shell() -> Iterator[Block]:
    """Yield every block of shell, `<placeholders>` put in place."""
    for block in blocks("sh", "bash"):
        yield Block(block.place, block.language, _PLACEHOLDER.sub("placeholder", block.text))


def sheets() -> Iterator[Block]:
    """Yield every text that is YAML: blocks, example files, and what is piped into kubectl."""
    yield from blocks("yaml")
    for block in blocks("sh", "bash"):
        yield from (Block(block.place, "yaml", text) for _, text in _HERE.findall(block.text))
    for path in SHEETS:
        content = path.read_text(encoding="utf-8")
        texts = [content] if path.suffix == ".yaml" else [text for _, text in _HERE.findall(content)]
        yield from (Block(place_of(path), "yaml", text) for text in texts)


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place of every object in them, and the object. Raises YAMLError for what is no YAML."""
    for sheet in sheets():
        for manifest in yaml.safe_load_all(sheet.text):
            yield sheet.place, manifest


def links() -> Iterator[tuple[str, Path, str]]:
    """Yield every relative link: its place, the file that it names, and the anchor in it."""
    for path in PAGES:
        for number, line in enumerate(_BLOCK.sub("", path.read_text(encoding="utf-8")).splitlines(), start=1):
            for target in re.findall(r"\]\(([^)\s]+)\)", _CODE.sub("", line)):
                if "://" not in target:
                    file, _, anchor = target.partition("#")
                    yield place_of(path, number), (path.parent / file).resolve() if file else path, anchor


def anchors(path: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
