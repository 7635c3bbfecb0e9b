#!/usr/bin/python3
"""The last lines of ./dev test: how many tests each suite ran, how long it took, and one sum.

count.py RESULTS SUITE...: RESULTS/SUITE holds JUnit files, `status` (the suite's exit code) and `seconds`.
A suite that failed without a failed test (it did not build, it died) counts as one failure, so that no red run looks green.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def tests_of(file: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of one JUnit file, gtest's, ctest's or pytest's."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(file).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"} or case.get("status") == "fail":
            failed += 1
        elif "skipped" in kinds or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def files_of(folder: Path) -> list[Path]:
    """gtest's own files know every test; ctest's knows each executable once and counts only for those without such a file."""
    files = sorted(file for file in folder.glob("*.xml") if file.name != "again.xml")
    ctest = folder / "ctest.xml"
    if ctest in files and len(files) > 1:
        files.remove(ctest)
        names = {case.get("name") for case in ElementTree.parse(ctest).iter("testcase")}
        if names - {file.stem for file in files}:
            alone = ElementTree.parse(ctest)
            root = alone.getroot()
            for case in list(root.iter("testcase")):
                if (folder / f"{case.get('name')}.xml").exists():
                    root.remove(case)
            rest = folder / "ctest-alone.xml"
            alone.write(rest)
            files.append(rest)
    return files


def names_of(file: Path) -> list[str]:
    return [f"{case.get('classname')}.{case.get('name')}" for case in ElementTree.parse(file).iter("testcase")]


def main() -> int:
    results, suites = Path(sys.argv[1]), sys.argv[2:]
    sums, bad, unsteady = [0, 0, 0], False, []
    print(f"\n{'suite':<16}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for suite in suites:
        folder = results / suite
        counts = [sum(column) for column in zip((0, 0, 0), *(tests_of(file) for file in files_of(folder)))]
        again = folder / "again.xml"
        if again.exists():  # a second run of what failed takes the place of the first
            second = tests_of(again)
            counts = [counts[0] + second[0], second[1], counts[2] + second[2]]
            unsteady += [f"{suite}: {name}" for name in names_of(again)] if second[0] else []
        status = int((folder / "status").read_text())
        if status != 0 and counts[1] == 0:
            counts[1] = 1
        bad = bad or status != 0 or counts[1] != 0
        sums = [a + b for a, b in zip(sums, counts)]
        print(f"{suite:<16}{counts[0]:>8}{counts[1]:>8}{counts[2]:>9}{(folder / 'seconds').read_text().strip():>9}")
    for name in unsteady:
        print(f"unsteady (failed once): {name}")
    print(f"{sums[0]} passed, {sums[1]} failed" + (f", {sums[2]} skipped" if sums[2] else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
