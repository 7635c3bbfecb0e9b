"""Each rule of ./dev check, seen to pass on the project as it is and to bite on a copy with one forbidden line in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import check_rules  # noqa: E402
from coroutines import WHY_BRACES, WHY_LAMBDA, WHY_WHILE, breaches_in_coroutines  # noqa: E402
from table import FOLDERS, HEAVY_LIMIT, PURE_ARCHIVES  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PLIMSOLL_BIN", ROOT / "build" / "bin")).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The judged part of the tree, in a folder of its own that is no repository."""
    for folder in ("config", "daemon", "ctl"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "CMakeLists.txt", tmp_path)
    return tmp_path


def check(root: Path, only: str, build: Path | None = None) -> list[str]:
    return list(check_rules.breaches(root, build, {only}))


def add_line(file: Path, line: str) -> None:
    file.write_text(file.read_text() + line + "\n")


def first_source(root: Path, folder: str) -> Path:
    return check_rules.sources(root, folder)[0]


@pytest.mark.parametrize("only", ["includes", "links", "heavy", "coroutines", "python", "text"])
def test_the_project_keeps_its_rules(only: str) -> None:
    assert check(ROOT, only) == []


def test_every_folder_of_the_table_has_sources() -> None:
    for name in FOLDERS:
        assert check_rules.sources(ROOT, name), f"{name} is empty: its rules would hold for nothing"


def test_the_untouched_copy_passes(copy: Path) -> None:
    assert check(copy, "includes") == []
    assert check(copy, "links") == []


@pytest.mark.parametrize(
    ("folder", "header"),
    [
        ("daemon/core", "<unistd.h>"),
        ("daemon/core", "<thread>"),
        ("daemon/core", "<fstream>"),
        ("daemon/core", "<iostream>"),
        ("daemon/core", "<filesystem>"),
        ("daemon/core", "<ctime>"),
        ("daemon/core", '"daemon/sys/fd.hpp"'),
        ("daemon/core", '"config/config.hpp"'),
        ("daemon/core", "<boost/asio.hpp>"),
        ("daemon/core", "<spdlog/spdlog.h>"),
        ("config/plan", "<sys/stat.h>"),
        ("config/plan", '"daemon/core/world.hpp"'),
        ("config", '"daemon/core/world.hpp"'),
        ("config", "<spdlog/spdlog.h>"),
        ("daemon/sys", "<boost/asio.hpp>"),
        ("daemon/sys", "<spdlog/spdlog.h>"),
        ("daemon/sys", '"config/plan/plan.hpp"'),
        ("daemon/api/wire", "<boost/asio.hpp>"),
        ("daemon/api/wire", "<unistd.h>"),
        ("daemon/api", "<toml++/toml.h>"),
        ("daemon/api", '"daemon/core/world.hpp"'),
        ("daemon/run", "<toml++/toml.h>"),
        ("daemon/run", "<CLI/CLI.hpp>"),
        ("ctl", '"daemon/api/server.hpp"'),
        ("ctl", '"daemon/sys/fd.hpp"'),
        ("ctl", '"daemon/core/world.hpp"'),
        ("ctl", "<spdlog/spdlog.h>"),
    ],
)
def test_a_forbidden_include_is_found(copy: Path, folder: str, header: str) -> None:
    before = check(copy, "includes")
    file = first_source(copy, folder)
    add_line(file, f"#include {header}")
    found = [line for line in check(copy, "includes") if line not in before]
    assert len(found) == 1
    assert found[0].startswith(f"{file.relative_to(copy)}:{len(file.read_text().splitlines())}: ")


def test_a_new_folder_needs_a_rule(copy: Path) -> None:
    (copy / "daemon" / "extra").mkdir()
    (copy / "daemon" / "extra" / "thing.cpp").write_text("int thing();\n")
    assert [line for line in check(copy, "includes") if "daemon/extra/thing.cpp" in line]


def test_a_wider_link_in_cmake_alone_is_found(copy: Path) -> None:
    cmake = copy / "CMakeLists.txt"
    cmake.write_text(cmake.read_text().replace("plimsoll_folder(plimsoll_core daemon/core plimsoll_plan)",
                                               "plimsoll_folder(plimsoll_core daemon/core plimsoll_plan spdlog::spdlog)"))
    assert len(check(copy, "links")) == 1


def test_one_translation_unit_too_many_that_sees_asio_is_found(copy: Path) -> None:
    (copy / "daemon" / "run" / "seer.hpp").write_text("#include <boost/asio/io_context.hpp>\n")
    for number in range(HEAVY_LIMIT + 1):  # by way of a header of ours: that costs as much
        (copy / "daemon" / "run" / f"seer{number}.cpp").write_text('#include "daemon/run/seer.hpp"\n')
    assert len(check(copy, "heavy")) == 1


@pytest.mark.parametrize("archive", sorted(PURE_ARCHIVES))
def test_the_pure_archives_need_nothing_from_outside(archive: str) -> None:
    symbols = check_rules.undefined_symbols(BUILD / archive)
    assert symbols, "an archive that needs nothing at all was not read"
    assert check(ROOT, "symbols", BUILD) == []


IMPURE = {
    "steady_clock": "#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }",
    "system_clock": "#include <chrono>\nlong f() { return std::chrono::system_clock::now().time_since_epoch().count(); }",
    "time": "#include <ctime>\nlong f() { return time(nullptr); }",
    "localtime": "#include <ctime>\nint f(long t) { return localtime(&t)->tm_hour; }",
    "getenv": "#include <cstdlib>\nconst char* f() { return getenv(\"HOME\"); }",
    "kill": "#include <csignal>\nint f(int pid) { return kill(pid, SIGTERM); }",
    "read": "#include <unistd.h>\nlong f(char* at) { return read(0, at, 1); }",
    "write": "#include <unistd.h>\nlong f(const char* at) { return write(1, at, 1); }",
    "cout": "#include <iostream>\nvoid f() { std::cout << 1; }",
    "ifstream": "#include <fstream>\nbool f() { return std::ifstream(\"/proc/stat\").good(); }",
    "filesystem": "#include <filesystem>\nbool f() { return std::filesystem::exists(\"/proc\"); }",
    "thread": "#include <thread>\nvoid f() { std::thread([] {}).detach(); }",
    "random_device": "#include <random>\nunsigned f() { return std::random_device()(); }",
    "rand": "#include <cstdlib>\nint f() { return rand(); }",
    "printf": "#include <cstdio>\nvoid f() { printf(\"%d\", 1); }",
}


@pytest.mark.parametrize("what", sorted(IMPURE))
def test_an_impure_call_in_core_is_found_by_its_symbol(tmp_path: Path, what: str) -> None:
    """The real archive, with one more object in it."""
    for archive in PURE_ARCHIVES:
        shutil.copy(BUILD / archive, tmp_path)
    source = tmp_path / "impure.cpp"
    source.write_text(IMPURE[what] + "\n")
    subprocess.run(["g++", "-std=c++20", "-O2", "-c", source, "-o", tmp_path / "impure.o"], check=True)
    subprocess.run(["ar", "r", tmp_path / "libplimsoll_core.a", tmp_path / "impure.o"], check=True, capture_output=True)
    found = check(ROOT, "symbols", tmp_path)
    assert found
    assert all("libplimsoll_core.a" in line for line in found)
    assert any(what in line for line in found)


def test_a_missing_archive_is_not_taken_for_a_pure_one(tmp_path: Path) -> None:
    assert len(check(ROOT, "symbols", tmp_path)) == len(PURE_ARCHIVES)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("co_await f(Options{});", WHY_BRACES),
        ("co_await f({.first = 1});", WHY_BRACES),
        ("auto x = co_await f(std::vector<std::string>{\"a\"});", WHY_BRACES),
        ("if (co_await f({1, 2})) { g(); }", WHY_BRACES),
        ("for (auto& x : co_await f({\"a\", \"b\"})) { g(x); }", WHY_BRACES),
        ("g(Options{}, co_await f());", WHY_BRACES),
        ("co_await g([c] { return c; });", WHY_LAMBDA),
        ("co_await g([&] { return 1; });", WHY_LAMBDA),
        ("co_return co_await g(1, [this](int x) { return x; });", WHY_LAMBDA),
        ("while (co_await f()) g();", WHY_WHILE),
    ],
)
def test_a_temporary_beside_co_await_is_found(code: str, why: str) -> None:
    text = f"awaitable<void> run() {{\n  start();\n  {code}\n}}\n"
    assert (3, why) in list(breaches_in_coroutines(text))


@pytest.mark.parametrize(
    "code",
    [
        "Options o{1}; co_await f(std::move(o));",
        "auto l = [c] { return c; }; co_await g(l);",
        "if (co_await f(1)) { std::vector<int> v{1}; g({1}); }",
        "co_await g([] { return 1; });",
        "// co_await f({1})\n",
        "say(\"co_await f({1})\");",
        "std::size_t n{co_await f()};",
        "co_spawn(ex, [self]() -> awaitable<void> { co_await self->run(); }, log_and_stop);",
        "array[i] = co_await f(x[1]);",
        "while (more()) { more(co_await f()); }",
        "while (goes_on) goes_on = co_await f();",
        "do { go = co_await f(); } while (go);",
        "switch (co_await f()) { case 1: { g({1}); break; } }",
    ],
)
def test_named_values_and_plain_calls_beside_co_await_pass(code: str) -> None:
    assert list(breaches_in_coroutines(f"awaitable<void> run() {{\n  {code}\n}}\n")) == []


def test_a_python_import_of_what_is_gone_is_found(tmp_path: Path) -> None:
    for folder in ("scenario", "real"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
    (tmp_path / "tests/scenario/harness.py").write_text("from os import getpid\nHELD, (a, *rest) = 1, (2, 3)\n")
    (tmp_path / "tests/scenario/test_a.py").write_text("from harness import HELD, a, getpid, rest\nfrom json import nothing\n")
    assert check(tmp_path, "python") == []
    (tmp_path / "tests/real/test_b.py").write_text("\ndef inside():\n    from harness import HELD, gone\n")
    assert check(tmp_path, "python") == ["tests/real/test_b.py:3: tests/scenario/harness.py has no 'gone'"]
    (tmp_path / "tests/real/test_b.py").write_text("import os.path, harnes\nfrom pytest import raises\n")
    assert check(tmp_path, "python") == ["tests/real/test_b.py:1: there is no module 'harnes'"]


@pytest.mark.parametrize("text", ["// TO" "DO: later", "// FIX" "ME", "see ../sha" "red/design.md", "/wo" "rk/here", "https:" "//mirror.lan.net/x"])
def test_unfinished_work_and_places_of_one_machine_are_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "note.txt").write_text(f"fine\n{text}\n")
    assert [line for line in check(tmp_path, "text") if line.startswith("note.txt:2: ")]


def test_the_unit_passes_systemds_own_check(tmp_path: Path) -> None:
    """The unit as it would be installed, its programs being there. Where systemd is not installed its text is read here."""
    unit = (ROOT / "systemd" / "plimsolld.service").read_text()
    for wanted in ("Type=notify", "KillMode=mixed", "Restart=on-failure", "ExecStart=", "WatchdogSec="):
        assert f"\n{wanted}" in unit
    if shutil.which("systemd-analyze") is None:
        return
    assert (BUILD / "bin" / "plimsolld").exists()
    placed = tmp_path / "plimsolld.service"
    placed.write_text(unit.replace("/usr/bin/plimsolld", str(BUILD / "bin" / "plimsolld")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", placed], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "plimsolld" in line]
    assert done.returncode == 0, done.stderr
    assert ours == []


def test_systemds_check_bites(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return
    placed = tmp_path / "plimsolld.service"
    placed.write_text((ROOT / "systemd" / "plimsolld.service").read_text().replace("/usr/bin/plimsolld", "/nowhere/plimsolld"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", placed], capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_every_test_that_the_roadmap_names_exists() -> None:
    roadmap = (ROOT / "docs" / "roadmap.md").read_text()
    named = re.findall(r"`((?:unit|scenario|real|rules)/[\w/]+\.(?:py|cpp)): (\w+)`", roadmap)
    assert len(named) > 50
    missing = []
    for file, test in named:
        text = (ROOT / "tests" / file).read_text() if (ROOT / "tests" / file).exists() else ""
        if not re.search(rf"\b(def {test}\(|(TEST(_[FP])?|HISTORY)\(\w+,\s*{test}\))", text):
            missing.append(f"{file}: {test}")
    assert missing == []
