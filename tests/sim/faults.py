#!/usr/bin/python3
"""Deliberate faults in the core, one after the other: which of them does the simulation find, which the unit tests?

faults.py --build FOLDER [--part K/N | --part day] [--all-tests] [--steps N] [--jobs N] [--junit FILE] [--write] [NAME...]

Each tests/sim/faults/NAME.patch is put alone into copies of the files that it names; those are compiled with what FOLDER's
build compiled them with (optimised less), and linked with everything else that stands there already, so that a fault
costs seconds. What the simulation does not find, the unit tests of the core are asked about; with --all-tests they are
asked in any case. What they do not find either, the simulation looks for five times as long.

--part K/N takes each N-th fault from the K-th on (1/N to N/N); --part day the one of three that the last commit's day
says, so that three days in a row try them all. --write puts the table into docs/faults.md, and takes all of them. A patch
that no longer applies is an error: the fault has to move with the code. Ends with 1 when a fault was found by neither.
"""

import argparse
import datetime
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests/sim/faults"
SEED = 1
# The second line of a patch, and its mark in the table.
ORIGINS = {"From the core alone.": " ∗", "By one who has not read the tests.": " †"}
RARELY = 5  # times as many steps for what neither has found
CPU_SECONDS = 240  # of one run: on a busy machine the wall clock says nothing

HEAD = """# Deliberate faults, and who finds them

Each line is one fault put into the core on purpose (`tests/sim/faults/NAME.patch`), alone. `tests/sim/faults.py --write` builds the
core with it, runs the simulation (`plimsoll_sim --seed {seed} --steps {steps}`), asks the unit tests of the core (`unit_core`) about
what that has not found, and writes this page. "after" is the number of the simulation's steps until a law was broken.

{sums}

Those with a † were made by somebody who had read `daemon` and neither the tests nor the simulation, and run nothing; those with a ∗
from `daemon/core` alone and before anything was run on them, by somebody who had also read the simulation. Of the twelve with a † four
were found when they were first tried; each of the other eight has a unit test since. `./dev test faults` tries a
third of them, by the day of the last commit; `./dev test all` tries all.

| fault | what it does | sim: after | law that was broken | unit tests |
|---|---|---|---|---|
"""


class Failed(Exception):
    """Something that is no finding: a patch that does not apply, a core that does not build."""


def run(command: list, limited: bool = False) -> tuple[int, str]:
    """(exit code, negative for a signal; what it said)"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=limit if limited else None
    )
    return done.returncode, done.stdout


class Bench:
    """What the build folder has compiled already, and how."""

    def __init__(self, build: Path) -> None:
        self.build = build
        code, said = run(["ninja", "-C", build, "plimsoll_sim", "unit_core"])
        if code != 0:
            raise Failed(f"the core does not build without a fault:\n{said[-3000:]}")
        code, commands = run(["ninja", "-C", build, "-t", "commands", "plimsoll_sim", "unit_core"])
        if code != 0:
            raise Failed(f"ninja names no commands:\n{commands}")
        lines = commands.splitlines()
        self.compile = {found[1]: line for line in lines if (found := re.search(r"(daemon/core/\w+\.cpp)$", line))}
        self.link = {name: next(line for line in lines if f" -o bin/{name}" in line) for name in ("plimsoll_sim", "unit_core")}
        self.archive = next(build.glob("**/libplimsoll_core.a"))

    def compile_as(self, file: str, source: Path, obj: Path) -> None:
        words = shlex.split(self.compile[file])
        if Path(words[0]).name == "ccache":
            words = words[1:]
        words = words[: words.index("-MD")]
        words = [word for word in words if not re.fullmatch(r"-g\d?|-O\d|-Werror", word)]
        code, said = run(["env", "-C", self.build, *words, "-O1", "-o", obj, "-c", source])
        if code != 0:
            raise Failed(f"{source} does not compile:\n{said[-3000:]}")

    def link_with(self, name: str, library: Path, program: Path) -> None:
        """The fault's objects come first in a library of their own, so that the others are left where they are."""
        line = next(part for part in self.link[name].split("&&") if f" -o bin/{name}" in part)
        known = [word for word in shlex.split(line) if word.endswith("libplimsoll_core.a")][0]
        words = [str(program) if word == f"bin/{name}" else str(library) if word == known else word for word in shlex.split(line)]
        code, said = run(["env", "-C", self.build, *words])
        if code != 0:
            raise Failed(f"{name} does not link:\n{said[-3000:]}")


def ended_by_limit(code: int) -> bool:
    return code in (-signal.SIGXCPU, -signal.SIGKILL)


def by_sim(program: Path, steps: int) -> dict:
    code, said = run([program, "--seed", str(SEED), "--steps", str(steps), "--terse"], limited=True)
    if ended_by_limit(code):
        return {"sim": True, "after": "", "law": "it does not come to an end"}
    found = re.search(r"broken after (\d+) steps, seed \d+: ([^:]*)", said)
    if found:
        return {"sim": True, "after": f"{int(found[1]):,}", "law": found[2]}
    return {"sim": code != 0, "after": "", "law": "" if code == 0 else "it dies"}


def by_unit(program: Path) -> dict:
    code, said = run([program, "--gtest_brief=1"], limited=True)
    failed = sorted(set(re.findall(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", said)))
    if code == 0:
        return {"unit": False, "tests": "none"}
    if ended_by_limit(code):
        return {"unit": True, "tests": "they do not come to an end"}
    return {"unit": True, "tests": f"{len(failed)}: `{failed[0]}`" + ("…" if len(failed) > 1 else "") if failed else "they die"}


class Fault:
    def __init__(self, patch: Path) -> None:
        text = patch.read_text()
        words, _, self.diff = text.partition("\n\n")
        self.name = patch.stem
        self.why, *rest = words.splitlines()
        self.mark = next((mark for words, mark in ORIGINS.items() if words in rest), "")
        self.files = re.findall(r"^\+\+\+ b/(\S+)", self.diff, re.MULTILINE)

    def build(self, bench: Bench, folder: Path) -> Path:
        """Its objects, in a copy of the core's library."""
        for file in self.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / file)
        done = subprocess.run(["patch", "-p1", "--no-backup-if-mismatch", "-d", folder], input=self.diff, text=True, capture_output=True)
        if done.returncode != 0:
            raise Failed(f"{self.name} does not apply:\n{done.stdout}{done.stderr}")
        library = folder / "libplimsoll_core.a"
        shutil.copyfile(bench.archive, library)
        for file in self.files:
            obj = folder / f"{Path(file).name}.o"
            bench.compile_as(file, folder / file, obj)
            run(["ar", "r", library, obj])
        return library

    def try_it(self, bench: Bench, options: argparse.Namespace) -> dict:
        began = time.monotonic()
        row = {"name": self.name, "why": self.why, "mark": self.mark, "unit": False, "tests": "not asked"}
        with tempfile.TemporaryDirectory(prefix=f"plimsoll-fault-{self.name}-") as folder:
            library = self.build(bench, Path(folder))
            sim = Path(folder) / "plimsoll_sim"
            bench.link_with("plimsoll_sim", library, sim)
            row.update(by_sim(sim, options.steps))
            if options.all_tests or not row["sim"]:
                unit = Path(folder) / "unit_core"
                bench.link_with("unit_core", library, unit)
                row.update(by_unit(unit))
            if not row["sim"] and not row["unit"]:
                row.update(by_sim(sim, RARELY * options.steps))
        print(f"{self.name}: sim {row['after'] + ' ' + row['law'] if row['sim'] else 'no'}; unit {row['tests']}"
              f" ({time.monotonic() - began:.0f} s)", flush=True)  # fmt: skip
        row["seconds"] = time.monotonic() - began
        return row


def sums_of(rows: list[dict]) -> str:
    sim = sum(row["sim"] for row in rows)
    unit = sum(row["unit"] for row in rows)
    none = sum(not row["sim"] and not row["unit"] for row in rows)
    asked = sum(row["tests"] != "not asked" for row in rows)
    return f"Of {len(rows)} faults the simulation finds {sim}, the unit tests {unit} of {asked}; {none} are found by neither."


def page(rows: list[dict], steps: int) -> str:
    lines = []
    for row in rows:
        after = row["after"] or ("yes" if row["sim"] else "no")
        lines.append(f"| `{row['name']}`{row['mark']} | {row['why']} | {after} | {row['law']} | {row['tests']} |")
    return HEAD.format(seed=SEED, steps=steps, sums=sums_of(rows)) + "\n".join(lines) + "\n"


def part_of(faults: list, part: str) -> list:
    if part == "day":
        code, said = run(["git", "-C", ROOT, "log", "-1", "--format=%cs"])
        day = datetime.date.fromisoformat(said.strip()) if code == 0 else datetime.date.today()
        part = f"{day.toordinal() % 3 + 1}/3"
    number, of = (int(word) for word in part.split("/"))
    print(f"part {number} of {of}: each {of}th fault from number {number} on", flush=True)
    return faults[number - 1 :: of]


def junit(rows: list[dict]) -> str:
    cases = []
    for row in rows:
        found = row["sim"] or row["unit"]
        failure = "" if found else f"<failure message={quoteattr('nobody has found: ' + row['why'])}/>"
        cases.append(f'<testcase classname="faults" name="{row["name"]}" time="{row["seconds"]:.1f}">{failure}</testcase>')
    return '<testsuite name="faults">' + "\n".join(cases) + "</testsuite>\n"


def work(options: argparse.Namespace) -> int:
    faults = [Fault(patch) for patch in sorted(FAULTS.glob("*.patch"))]
    if options.names:
        faults = [fault for fault in faults if fault.name in options.names]
    elif options.part:
        faults = part_of(faults, options.part)
    bench = Bench(options.build.resolve())
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda fault: fault.try_it(bench, options), faults))
    if options.write:
        (ROOT / "docs/faults.md").write_text(page(rows, options.steps))
    if options.junit:
        options.junit.write_text(junit(rows))
    missed = [row["name"] for row in rows if not row["sim"] and not row["unit"]]
    print(sums_of(rows) + (f" By neither: {' '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="a build folder of the release preset")
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", help="K/N, or day")
    parser.add_argument("--all-tests", action="store_true", help="the unit tests in any case")
    parser.add_argument("--junit", type=Path)
    parser.add_argument("--write", action="store_true", help="into docs/faults.md")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.write:
        options.part = None
    try:
        return work(options)
    except Failed as why:
        print(f"faults: {why}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
