#!/usr/bin/python3
"""Deliberate faults in the core, one after the other: which of them does the simulation find, which the unit tests?

faults.py [--steps N] [--jobs N] [--scratch FOLDER] [--write] [NAME...]: each tests/sim/faults/NAME.patch is applied alone in a scratch copy of
the sources, unit_core and plimsoll_sim are built there and run. --write puts the table into docs/faults.md. A patch that no
longer applies is an error: the fault has to move with the code. Ends with 1 when a fault was found by neither.
"""

import argparse
import filecmp
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests/sim/faults"
SEED = 1

HEAD = """# Deliberate faults, and who finds them

Each line is one fault put into the core on purpose (`tests/sim/faults/NAME.patch`), alone. `tests/sim/faults.py --write` builds the
core with it, runs the unit tests of the core (`unit_core`) and the simulation (`plimsoll_sim --seed {seed} --steps {steps}`), and writes
this page. "after" is the number of the simulation's steps until a law was broken.

{sums}

| fault | what it does | sim | after | law that was broken | unit |
|---|---|---|---|---|---|
"""


CPU_SECONDS = 40  # of one run: on a busy machine the wall clock says nothing


def run(command: list, limited: bool = False) -> tuple[int, str]:
    """(exit code, negative for a signal; what it said)"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=limit if limited else None
    )
    return done.returncode, done.stdout


def ended_by_limit(code: int) -> bool:
    return code in (-signal.SIGXCPU, -signal.SIGKILL)


def copy_of_sources(scratch: Path) -> Path:
    """What is the same already keeps its time, so that a scratch folder that was kept is built quickly."""
    tree = scratch / "tree"
    for part in ("CMakeLists.txt", "config", "daemon", "ctl", "systemd", "tests", "docs"):
        files = [ROOT / part] if (ROOT / part).is_file() else [file for file in (ROOT / part).rglob("*") if file.is_file()]
        for file in files:
            copy = tree / file.relative_to(ROOT)
            if copy.exists() and filecmp.cmp(file, copy, shallow=False):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return tree


def configure(tree: Path, build: Path) -> None:
    code, said = run(["cmake", "-G", "Ninja", "-S", tree, "-B", build, "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1"])
    if code != 0:
        sys.exit(f"faults: cannot configure the scratch copy:\n{said}")


def make(build: Path, jobs: int) -> tuple[int, str]:
    return run(["ninja", "-C", build, f"-j{jobs}", "unit_core", "plimsoll_sim"])


def by_sim(build: Path, steps: int) -> tuple[bool, str, str]:
    """(found, after how many steps, by which law)"""
    code, said = run([build / "bin/plimsoll_sim", "--seed", str(SEED), "--steps", str(steps), "--terse"], limited=True)
    if ended_by_limit(code):
        return True, "", "it does not come to an end"
    found = re.search(r"broken after (\d+) steps, seed \d+: ([^:]*)", said)
    if found:
        return True, f"{int(found[1]):,}", found[2]
    return (False, "", "") if code == 0 else (True, "", "it dies")


def by_unit(build: Path) -> tuple[bool, str]:
    code, said = run([build / "bin/unit_core", "--gtest_brief=1"], limited=True)
    failed = sorted(set(re.findall(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", said)))
    if code == 0:
        return False, "no"
    if ended_by_limit(code):
        return True, "yes: it does not come to an end"
    return True, f"yes: {len(failed)}" if failed else "yes: it dies"


def try_one(patch: Path, tree: Path, build: Path, options: argparse.Namespace) -> dict:
    why, _, diff = patch.read_text().partition("\n\n")
    applied = subprocess.run(["patch", "-p1", "--no-backup-if-mismatch", "-d", tree], input=diff, text=True, capture_output=True)
    if applied.returncode != 0:
        sys.exit(f"faults: {patch.name} does not apply:\n{applied.stdout}{applied.stderr}")
    try:
        code, said = make(build, options.jobs)
        if code != 0:
            sys.exit(f"faults: the core does not build with {patch.name}:\n{said[-3000:]}")
        sim, after, law = by_sim(build, options.steps)
        unit, tests = by_unit(build)
    finally:
        subprocess.run(["patch", "-R", "-p1", "-d", tree], input=diff, text=True, capture_output=True, check=True)
    return {"name": patch.stem, "why": why, "sim": sim, "after": after, "law": law, "unit": unit, "tests": tests}


def page(rows: list[dict], steps: int) -> str:
    sim = sum(row["sim"] for row in rows)
    unit = sum(row["unit"] for row in rows)
    none = sum(not row["sim"] and not row["unit"] for row in rows)
    sums = f"Of {len(rows)} faults the simulation finds {sim}, the unit tests {unit}; {none} are found by neither."
    lines = [f"| {r['name']} | {r['why']} | {'yes' if r['sim'] else 'no'} | {r['after']} | {r['law']} | {r['tests']} |" for r in rows]
    return HEAD.format(seed=SEED, steps=steps, sums=sums) + "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="a folder that is kept, so that the next run builds less")
    parser.add_argument("--write", action="store_true", help="into docs/faults.md")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    patches = sorted(FAULTS.glob("*.patch"))
    if options.names:
        patches = [patch for patch in patches if patch.stem in options.names]
    rows = []
    with tempfile.TemporaryDirectory(prefix="plimsoll-faults-") as folder:
        scratch = options.scratch or Path(folder)
        tree, build = copy_of_sources(scratch), scratch / "build"
        configure(tree, build)
        code, said = make(build, options.jobs)
        if code != 0:
            sys.exit(f"faults: the core does not build without a fault:\n{said[-3000:]}")
        if by_sim(build, options.steps)[0] or by_unit(build)[0]:
            sys.exit("faults: without any fault something fails already")
        for patch in patches:
            began = time.monotonic()
            rows.append(try_one(patch, tree, build, options))
            row = rows[-1]
            print(f"{row['name']}: sim {row['after'] + ' ' + row['law'] if row['sim'] else 'no'}; unit {row['tests']}"
                  f" ({time.monotonic() - began:.0f} s)", flush=True)
    if options.write:
        (ROOT / "docs/faults.md").write_text(page(rows, options.steps))
    missed = [row["name"] for row in rows if not row["sim"] and not row["unit"]]
    print(f"{len(rows)} faults: {sum(row['sim'] for row in rows)} by sim, {sum(row['unit'] for row in rows)} by unit tests, "
          f"{len(missed)} by neither: {' '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
