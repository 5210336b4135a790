"""A build with tools that do at once what the real ones take minutes for."""

import io
import json
import stat
from pathlib import Path

import pytest

from rag.errors import BuildFailed, ChecksumMismatch, DownloadFailed
from rag.ollama import install
from rag.ollama.install import OLLAMA_VERSION, built_folder, cpu_variant, find_ollama, installed_folder
from rag.settings import Settings
from rag.setup import ollama_build
from rag.setup.console import Console
from rag.setup.ollama_build import MODULE_SUMS, BuildTools, build_environment, build_ollama, headers_folder, remove_tree

GO = """#!/bin/sh
[ "$1" = env ] && {{ echo "$GOPROXY"; exit; }}
[ -e {folder}/no-network ] && {{ echo "dial tcp: no such host" >&2; exit 1; }}
case "$1" in
  mod) kernels="$GOPATH/$4/ml/backend/ggml/ggml/src/ggml-cpu/amx"
    mkdir -p "$kernels"; cp {folder}/amx.cpp "$kernels"; chmod 444 "$kernels/amx.cpp"
    touch "$GOPATH/$4/miniaudio.h"; chmod 555 "$GOPATH/$4"
    [ "$GOENV $GOSUMDB $GOPROXY" = "off off https://mirror.example" ] || exit 1
    case "$4" in *ollama@*) sum=$(cat {folder}/sum);; *) sum={malgo};; esac
    echo "{{\\"Dir\\": \\"$GOPATH/$4\\", \\"Sum\\": \\"$sum\\"}}";;
  list) echo a; echo b;;
  install) [ "$(basename $PWD)" = ollama@v0.24.0 ] || exit 1
    [ -e {folder}/no-memory ] && {{ echo "cc1plus: out of memory" >&2; exit 1; }}
    echo runtime/debug; mkdir -p "$GOBIN"; cp {folder}/ollama "$GOBIN/ollama"
    cat "$GOBIN/../../headers/stb/stb_image.h";;
esac
"""
NINJA = """#!/bin/sh
[ "$1" = -C ] || exit 1
echo "$@" > {folder}/targets
mkdir -p $2/lib/ollama && cd $2/lib/ollama
echo kernels > libggml-base.so.0; ln -sf libggml-base.so.0 libggml-base.so
echo "[1/30] Building"
"""
CMAKE = """#!/bin/sh
while [ "$1" != -S ]; do shift; done
cp "$2/ml/backend/ggml/ggml/src/ggml-cpu/amx/amx.cpp" {folder}/compiled.cpp
"""
AMX = "            op->src[0]->ne[0] % (TILE_K * 2 * 32) == 0 && // TODO\n"
OLLAMA = "#!/bin/sh\necho 'load_backend: loaded CPU backend from here'\n"


class Workshop:
    """Fake tools in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("go", GO), ("ninja", NINJA), ("cmake", CMAKE), ("ollama", OLLAMA)):
            path = folder / name
            filled = text.format(folder=folder, malgo=MODULE_SUMS["github.com/gen2brain/malgo@v0.11.24"])
            path.write_text(filled if name != "ollama" else text, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        (folder / "amx.cpp").write_text(AMX, encoding="utf-8")
        (folder / "stb_image.h").write_text("// stb\n", encoding="utf-8")
        (folder / "sum").write_text(MODULE_SUMS["github.com/ollama/ollama@v0.24.0"], encoding="utf-8")
        self.tools = BuildTools(
            c_compiler=folder / "gcc",
            cxx_compiler=folder / "g++",
            go=folder / "go",
            cmake=folder / "cmake",
            ninja=folder / "ninja",
            json_headers=folder / "json",
            stb_image=folder / "stb_image.h",
        )


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    folder = tmp_path / "workshop"
    folder.mkdir()
    made = Workshop(folder)
    monkeypatch.setattr(ollama_build, "gather_build_tools", lambda folder, console: made.tools)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("GOPROXY", "https://mirror.example")
    for name in ("GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS"):
        monkeypatch.setenv(name, "off")
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


def build(settings: Settings) -> Path:
    return build_ollama(settings, Console("en", io.StringIO()))


@pytest.mark.slow
def test_a_build_is_put_in_place_with_its_record(workshop: Workshop, settings: Settings) -> None:
    folder = build(settings)
    assert folder == built_folder(settings)
    assert installed_folder(folder)
    assert find_ollama(settings) == folder / "bin" / "ollama"
    record = json.loads((folder / "installed.json").read_text())
    assert (record["binary"], record["variant"]) == ("bin/ollama", cpu_variant())
    library = folder / "lib" / "ollama" / "libggml-base.so"
    assert library.is_symlink()
    assert library.read_text() == "kernels\n"


@pytest.mark.slow
def test_only_the_kernels_of_this_cpu_are_built(workshop: Workshop, settings: Settings) -> None:
    build(settings)
    targets = (workshop.folder / "targets").read_text().split()[2:]
    assert targets == ["ggml-base", "ggml-cpu" if cpu_variant() == "native" else f"ggml-cpu-{cpu_variant()}"]


@pytest.fixture
def with_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (install, ollama_build):
        monkeypatch.setattr(module, "has_amx", lambda: True)


@pytest.mark.slow
def test_with_amx_its_condition_is_widened_in_a_copy(workshop: Workshop, settings: Settings, with_amx: None) -> None:
    folder = build(settings)
    assert folder.name.endswith("-repack-amx")
    compiled = (workshop.folder / "compiled.cpp").read_text()
    assert "ggml_blck_size(op->src[0]->type)) == 0 && // TODO" in compiled
    assert "% (TILE_K * 2 * 32) == 0" not in compiled
    assert json.loads((folder / "installed.json").read_text())["amx"] is True


@pytest.mark.slow
def test_without_amx_the_source_is_built_as_it_is(
    workshop: Workshop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (install, ollama_build):
        monkeypatch.setattr(module, "has_amx", lambda: False)
    assert build(settings).name.endswith("-repack")
    assert (workshop.folder / "compiled.cpp").read_text() == AMX


@pytest.mark.slow
def test_a_source_without_the_condition_is_not_built(workshop: Workshop, settings: Settings, with_amx: None) -> None:
    (workshop.folder / "amx.cpp").write_text("other\n", encoding="utf-8")
    with pytest.raises(BuildFailed, match=r"repack-amx\.log"):
        build(settings)
    assert "does not hold once" in (built_folder(settings).parent / f"{built_folder(settings).name}.log").read_text()


def test_what_was_built_before_serves_until_set_up_runs_again(settings: Settings, with_amx: None) -> None:
    former = built_folder(settings).with_name(built_folder(settings).name.removesuffix("-amx"))
    (former / "bin").mkdir(parents=True)
    (former / "bin" / "ollama").touch(mode=0o755)
    (former / "installed.json").write_text(json.dumps({"binary": "bin/ollama"}), encoding="utf-8")
    assert find_ollama(settings) == former / "bin" / "ollama"
    assert not installed_folder(built_folder(settings))


def test_amx_is_a_flag_of_the_cpu() -> None:
    assert install.has_amx(frozenset(["avx2", "amx_tile", "amx_int8"]))
    assert not install.has_amx(frozenset(["avx2", "amx_bf16"]))


@pytest.mark.slow
def test_the_work_is_deleted_and_the_log_kept(workshop: Workshop, settings: Settings) -> None:
    build(settings)
    left = sorted(path.name for path in built_folder(settings).parent.iterdir())
    assert left == [built_folder(settings).name, f"{built_folder(settings).name}.log"]
    assert "load_backend: loaded CPU backend" in (built_folder(settings).parent / left[1]).read_text()


def test_another_source_than_the_pinned_one_is_not_built(workshop: Workshop, settings: Settings) -> None:
    (workshop.folder / "sum").write_text("h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", encoding="utf-8")
    with pytest.raises(ChecksumMismatch, match=r"ollama@v0\.24\.0 has sha256 h1:AAAA"):
        build(settings)
    [work] = built_folder(settings).parent.glob("*.work")
    assert not (work / "go").exists() and not (work / "dist").exists()


def test_each_module_has_a_sum() -> None:
    assert MODULE_SUMS.keys() == {ollama_build._MODULE, ollama_build._MINIAUDIO_MODULE}
    assert f"@v{OLLAMA_VERSION}" in ollama_build._MODULE


def test_without_a_network_the_way_out_is_told(workshop: Workshop, settings: Settings) -> None:
    (workshop.folder / "no-network").touch()
    with pytest.raises(DownloadFailed, match="Check the network and run the same command again"):
        build(settings)


@pytest.mark.slow
def test_a_failed_build_goes_on_the_next_time(workshop: Workshop, settings: Settings) -> None:
    (workshop.folder / "no-memory").touch()
    with pytest.raises(BuildFailed, match=r"repack(-amx)?\.log"):
        build(settings)
    assert not installed_folder(built_folder(settings))
    assert list(built_folder(settings).parent.glob("*.work")), "what was compiled is kept"
    (workshop.folder / "no-memory").unlink()
    assert installed_folder(build(settings))


@pytest.mark.slow
def test_a_server_without_its_kernels_is_not_put_in_place(workshop: Workshop, settings: Settings) -> None:
    (workshop.folder / "ollama").write_text("#!/bin/sh\necho nothing loaded\n", encoding="utf-8")
    with pytest.raises(BuildFailed):
        build(settings)
    assert not installed_folder(built_folder(settings))


def test_the_build_sees_headers_and_caches_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("CGO_CFLAGS", "-O0")
    monkeypatch.setenv("GOPROXY", "https://mirror.example")
    for name in ("GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOPRIVATE", "GOINSECURE", "GOENV"):
        monkeypatch.setenv(name, "weaker")
    gcc, gxx, go, cmake, ninja = (tmp_path / name for name in ("gcc", "g++", "go/bin/go", "cmake", "ninja"))
    tools = BuildTools(gcc, gxx, go, cmake, ninja, json_headers=tmp_path / "json", stb_image=tmp_path / "stb_image.h")
    environment = build_environment(tools, tmp_path / "work")
    assert environment["CGO_CPPFLAGS"] == f"-I{headers_folder(tmp_path / 'work')} -I{tmp_path / 'json'}"
    assert environment["GOBIN"] == str(tmp_path / "work" / "dist" / "bin")
    assert environment["GOPROXY"] == "https://mirror.example", "where modules come from is the user's choice"
    assert {name: value for name, value in environment.items() if value in ("weaker", "-mod=vendor", "-O0")} == {}
    assert environment["GOENV"] == environment["GOSUMDB"] == "off"
    assert environment["GOFLAGS"] == "-mod=readonly -buildvcs=false"


def test_read_only_modules_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "module"
    folder.mkdir(parents=True)
    (folder / "go.mod").touch(mode=0o444)
    folder.chmod(0o555)
    remove_tree(tmp_path / "work")
    assert not (tmp_path / "work").exists()
