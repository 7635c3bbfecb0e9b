#!/usr/bin/python3
"""./dev check's dependency rules: what stands in tests/rules/table.py, held against the sources and the libraries.

check_rules.py [--root FOLDER] [--build FOLDER] [--only includes,links,heavy,symbols,coroutines,python,text]
Prints one line a breach, `file:line: rule`, and exits 1 if there is one. The symbols are read from the archives of a release
or dev build; without --build they are not looked at, and that is said.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from coroutines import breaches_in_coroutines
from python_imports import breaches_in_python_imports
from table import (
    CONFINED,
    FOLDERS,
    HEAVY,
    HEAVY_LIMIT,
    LIBRARIES,
    PROGRAMS,
    PURE_ARCHIVES,
    PURE_STD,
    PURE_SYMBOLS,
    STD,
    Folder,
)

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
TARGETS = {folder.target: name for name, folder in FOLDERS.items()}


def tracked(root: Path) -> list[Path]:
    """Every file that is tracked, or would be: new ones that are not ignored are judged before they are added."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        files = (root / name for name in listed.stdout.split("\0") if name)
    else:
        files = (file for file in root.rglob("*") if ".git" not in file.parts)
    return sorted(file for file in files if file.is_file() and not file.is_symlink())


def sources(root: Path, folder: str) -> list[Path]:
    return sorted(file for file in (root / folder).glob("*") if file.suffix in (".cpp", ".hpp"))


def includes_of(file: Path) -> Iterator[tuple[int, str]]:
    text = file.read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(1)) + 1, match.group(1)


def reachable(name: str) -> tuple[set[str], set[str]]:
    """(folders, library prefixes) that a folder's target sees, directly or through what it links."""
    folder = FOLDERS[name]
    folders, prefixes = {name}, set(folder.also)
    for link in folder.links:
        if link in TARGETS:
            more_folders, more_prefixes = reachable(TARGETS[link])
            folders |= more_folders
            prefixes |= {prefix for prefix in more_prefixes if not prefix.startswith(tuple(CONFINED))}
        else:
            for prefix in LIBRARIES[link]:
                prefixes |= set(folder.only.get(prefix, (prefix,)))
    return folders, prefixes


def is_posix(header: str) -> bool:
    return header.endswith(".h") and (
        "/" not in header or header.startswith(("sys/", "linux/", "net/", "netinet/", "arpa/", "asm/", "bits/"))
    )


def judge_include(name: str, folder: Folder, header: str) -> str | None:
    folders, prefixes = reachable(name)
    if header.startswith(tuple(prefixes)) and prefixes:
        where = next((where for prefix, where in CONFINED.items() if header.startswith(prefix)), None)
        return None if where is None or name in where.split("|") else f"{header} may be seen in {where} only"
    inside = next((other for other in sorted(FOLDERS, key=len, reverse=True) if header.startswith(f"{other}/")), None)
    if inside is not None:
        return None if inside in folders else f"{name} may not include {inside} ({header}): its target does not link that"
    if "/" not in header and not header.endswith(".h"):
        if header in folder.std_also:
            return None
        if "pure" in folder.system:
            return None if header in PURE_STD else f"{name} is pure: <{header}> is not on its list of headers"
        return None if header in STD else f"<{header}> is no header of std"
    if is_posix(header):
        return None if "posix" in folder.system else f"{name} may not include the system's <{header}>"
    return f"{name} may not include {header}: nothing that it links brings that"


def breaches_in_includes(root: Path) -> Iterator[str]:
    for name, folder in FOLDERS.items():
        for file in sources(root, name):
            for line, header in includes_of(file):
                why = judge_include(name, folder, header)
                if why:
                    yield f"{file.relative_to(root)}:{line}: {why}"
    for file in tracked(root):
        if file.suffix in (".cpp", ".hpp") and file.relative_to(root).parts[0] in ("config", "daemon", "ctl"):
            if str(file.parent.relative_to(root)) not in FOLDERS:
                yield f"{file.relative_to(root)}:1: this folder is not in the table of tests/rules/table.py"


def breaches_in_links(root: Path) -> Iterator[str]:
    """CMakeLists.txt and the table say the same, so that neither can be widened alone."""
    text = (root / "CMakeLists.txt").read_text()
    found: dict[str, set[str]] = {}
    for match in re.finditer(r"^plimsoll_folder\((\w+)\s+(\S+?)((?:\s+[\w:]+)*)\)", text, re.MULTILINE):
        found[match.group(1)] = set(match.group(3).split())
    for match in re.finditer(r"^target_link_libraries\((plimsolld|plimsollctl)\s+PRIVATE\s+([^)]*)\)", text, re.MULTILINE):
        found.setdefault(match.group(1), set()).update(match.group(2).split())
    expected = {folder.target: folder.links for folder in FOLDERS.values()} | PROGRAMS
    for target, links in expected.items():
        if found.get(target) != set(links):
            there = sorted(found.get(target, {"nothing"}))
            yield f"CMakeLists.txt:1: {target} links {there}, the table says {sorted(links)}"


def sees_heavy(root: Path, file: Path, seen: dict[Path, bool]) -> bool:
    if file in seen:
        return seen[file]
    seen[file] = False
    for _, header in includes_of(file):
        if header.startswith(HEAVY) or ((root / header).is_file() and sees_heavy(root, root / header, seen)):
            seen[file] = True
            break
        if (file.parent / header).is_file() and sees_heavy(root, file.parent / header, seen):
            seen[file] = True
            break
    return seen[file]


def breaches_in_heavy(root: Path) -> Iterator[str]:
    seen: dict[Path, bool] = {}
    heavy = [file for file in tracked(root) if file.suffix == ".cpp" and sees_heavy(root, file, seen)]
    if len(heavy) > HEAVY_LIMIT:
        names = ", ".join(str(file.relative_to(root)) for file in heavy)
        yield f"{heavy[-1].relative_to(root)}:1: {len(heavy)} translation units see Asio or Beast, {HEAVY_LIMIT} may: {names}"


def undefined_symbols(archive: Path) -> set[str]:
    """What the archive needs and does not define itself."""
    listed = subprocess.run(["nm", "-C", archive], capture_output=True, text=True, check=True).stdout
    needed, defined = set(), set()
    for line in listed.splitlines():
        match = re.match(r"^[0-9a-f ]{16} ([A-Za-z]) (.*)$", line)
        if match:
            (needed if match.group(1) in "Uw" else defined).add(match.group(2))
    return needed - defined


def breaches_in_symbols(build: Path) -> Iterator[str]:
    allowed = re.compile("|".join(PURE_SYMBOLS))
    for name, folder in PURE_ARCHIVES.items():
        archives = list(build.glob(name))
        if not archives:
            yield f"{folder}:1: {build / name} is not built"
        for archive in archives:
            for symbol in sorted(undefined_symbols(archive)):
                if not allowed.match(symbol):
                    yield f"{folder}:1: {name} needs '{symbol}': not pure"


# In two pieces each, so that this file does not break its own rule.
FORBIDDEN_TEXT = {
    re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"): "unfinished work belongs into docs/roadmap.md",
    re.compile(r"\.\./sha" r"red\b|\.libr" r"ary\b"): "nothing tracked may read what is not in the project",
    re.compile(r"(?<![\w.$}])/wo" r"rk/"): "a path of one machine",
}
URL = re.compile(r"\b(?:https?|git|ssh)://([\w.\-\[\]:]+)")
# Names that are nobody's (RFC 2606 and 6762), addresses, and the licence's own.
HOSTS = re.compile(r"^([\d\[].*|localhost|([\w-]+\.)*example(\.(com|org|net))?|[\w.-]+\.(local|test|invalid)|www\.apache\.org)(:.*)?$")


def breaches_in_text(root: Path) -> Iterator[str]:
    for file in tracked(root):
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue  # a fuzz corpus may hold any bytes
        name = file.relative_to(root)
        for number, line in enumerate(text.splitlines(), start=1):
            for pattern, why in FORBIDDEN_TEXT.items():
                if pattern.search(line):
                    yield f"{name}:{number}: {why}: {line.strip()[:80]}"
            for match in URL.finditer(line):
                host = match.group(1)
                if name.suffix == ".md" and not host.startswith(("registry.", "deb.", "mirror", "repo")):
                    continue  # a link for who reads on
                of_a_package = name.name == "package-lock.json" and '"resolved"' not in line  # homes and donations
                if "." in host and not HOSTS.match(host) and name.name != "LICENSE" and not of_a_package:
                    yield f"{name}:{number}: names the host {host}"


def breaches(root: Path, build: Path | None, only: set[str]) -> Iterator[str]:
    if "includes" in only:
        yield from breaches_in_includes(root)
    if "links" in only:
        yield from breaches_in_links(root)
    if "heavy" in only:
        yield from breaches_in_heavy(root)
    if "symbols" in only and build is not None:
        yield from breaches_in_symbols(build)
    if "coroutines" in only:
        for file in tracked(root):
            if file.suffix in (".cpp", ".hpp"):
                yield from (f"{file.relative_to(root)}:{line}: {why}" for line, why in breaches_in_coroutines(file.read_text()))
    if "python" in only:
        yield from breaches_in_python_imports(root, [file for file in tracked(root) if file.suffix == ".py"])
    if "text" in only:
        yield from breaches_in_text(root)


def main() -> int:
    every = "includes,links,heavy,symbols,coroutines,python,text"
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=Path)
    parser.add_argument("--only", default=every)
    options = parser.parse_args()
    count = 0
    for line in breaches(options.root, options.build, set(options.only.split(","))):
        print(line)
        count += 1
    if options.build is None:
        print("check_rules: no --build: symbols not looked at", file=sys.stderr)
    print(f"check_rules: {count} breaches", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
