#!/usr/bin/python3
"""Runs each fuzz target for a time, from its seeds and from what earlier runs found, and says what they found.

run.py --build FOLDER --seconds N [--junit FILE] [NAME...]: FOLDER/bin/fuzz_NAME, seeds in tests/fuzz/corpus/NAME, new inputs in
FOLDER/corpus/NAME, a finding in FOLDER/findings. Every target is one test; a corpus that was not read at all fails it too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent


def fuzz(build: Path, name: str, seconds: int) -> tuple[float, str]:
    """(seconds, what is wrong or nothing) of one target."""
    seeds, grown, findings = HERE / "corpus" / name, build / "corpus" / name, build / "findings"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        [
            build / "bin" / f"fuzz_{name}",
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            f"-artifact_prefix={findings}/{name}-",
            grown,
            *([seeds] if seeds.is_dir() else []),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    took = time.monotonic() - began
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    print(f"fuzz {name}: {runs.group(1) if runs else 'no'} inputs in {took:.0f} s, exit {done.returncode}")
    if done.returncode != 0:
        return took, done.stderr[-6000:]
    return took, "" if runs and int(runs.group(1)) > 0 else "not one input was run"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--junit", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or sorted(file.name.removesuffix("_fuzz.cpp") for file in HERE.glob("*_fuzz.cpp"))
    suite = ElementTree.Element("testsuite", name="fuzz")
    failed = 0
    for name in names:
        took, wrong = fuzz(options.build, name, options.seconds)
        case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name, time=f"{took:.1f}")
        if wrong:
            failed += 1
            ElementTree.SubElement(case, "failure", message="finding").text = re.sub(r"[^\t\n -~]", "?", wrong)
            print(wrong, file=sys.stderr)
    if options.junit:
        ElementTree.ElementTree(suite).write(options.junit, encoding="utf-8")
    print(f"fuzz: {len(names) - failed} passed, {failed} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
