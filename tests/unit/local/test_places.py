"""Cache directories change with their inputs and are whole or absent; templates are filled completely."""

import json
import tomllib
from pathlib import Path
from string import Template

import pytest
import yaml

from local.binaries import MODULES
from local.places import TEMPLATES, fingerprint, made_whole, render, state_root, write_if_changed

PATH_VALUES = ("state", "socket", "pki", "kubeconfig", "volumes", "cni_plugins", "data")


def filled(template: str) -> str:
    names = Template((TEMPLATES / template).read_text()).get_identifiers()
    return render(template, **{name: f"/{name}" if name in PATH_VALUES else f"{name}-1" for name in names})


def test_a_fingerprint_changes_with_content_name_and_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_text("same")
    prints = {fingerprint(one), fingerprint(two), fingerprint(one, two), fingerprint(two, one), fingerprint("same")}
    assert len(prints) == 5
    before = fingerprint(one)
    one.write_text("other")
    assert fingerprint(one) != before


def test_texts_do_not_run_together_in_a_fingerprint() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with made_whole(target) as scratch:
        (scratch / "file").write_text("x")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["file"]


def test_a_directory_whose_making_fails_never_appears(tmp_path: Path) -> None:
    def fail() -> None:
        with made_whole(tmp_path / "target") as scratch:
            (scratch / "file").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_the_state_directory_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTSTREAMS_LOCAL_DIR", str(tmp_path))
    assert state_root() == tmp_path


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.iterdir()))
def test_a_filled_template_is_well_formed_and_has_no_gap(template: str) -> None:
    text = filled(template)
    assert "${" not in text
    match template.rpartition(".")[2]:
        case "yaml":
            assert all(yaml.safe_load_all(text))
        case "toml":
            assert tomllib.loads(text)["version"] == 2
        case "conflist":
            assert json.loads(text)["name"] == "eventstreams"
        case kind:
            assert kind == "properties"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("containerd.toml", state="/state")


def test_volume_scripts_keep_their_shell_variables() -> None:
    assert '"$VOL_DIR"' in filled("local-path.yaml")


def test_every_program_is_built_once() -> None:
    programs = [program for module in MODULES for program in module.programs]
    assert len(programs) == len(set(programs))


def test_a_module_is_pinned_and_checksummed() -> None:
    for module in MODULES:
        assert (module.source / "go.mod").exists()
        assert (module.source / "go.sum").exists() or "require" not in (module.source / "go.mod").read_text()


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    write_if_changed(path, "mode: iptables\n")
    before = path.stat().st_mtime_ns
    write_if_changed(path, "mode: iptables\n")
    assert path.stat().st_mtime_ns == before
    write_if_changed(path, "mode: nftables\n")
    assert path.read_text() == "mode: nftables\n"
