#!/usr/bin/python3
"""clang-tidy over config, daemon and ctl, from a build's compile_commands.json; what was clean and is unchanged is not read again.

tidy.py --build FOLDER [--jobs N]. A file's stamp is the hash of itself, of every header of the project, of .clang-tidy and of
its command, in FOLDER/tidy. The order is the dearest first (those that see Asio or Beast), so that no core idles at the end.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from check_rules import sees_heavy

FOLDERS = ("config", "daemon", "ctl")


def stamp_of(root: Path, entry: dict[str, str], headers: bytes) -> str:
    digest = hashlib.sha256(headers)
    digest.update(Path(entry["file"]).read_bytes())
    digest.update((root / ".clang-tidy").read_bytes())
    digest.update(entry["command"].encode())
    return digest.hexdigest()


def tidy(build: Path, file: Path) -> tuple[Path, float, int, str]:
    started = time.monotonic()
    done = subprocess.run(
        # clang's -Wconversion holds more than g++'s, which is the one that is asked for.
        ["clang-tidy-14", "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-sign-conversion", file],
        capture_output=True,
        text=True,
        check=False,
    )
    talk = "\n".join(line for line in done.stderr.splitlines() if not re.match(r"^(\d+ warnings?|Suppressed|Use -)", line))
    return file, time.monotonic() - started, done.returncode, done.stdout + (talk if done.returncode else "")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    stamps = options.build / "tidy"
    stamps.mkdir(exist_ok=True)

    headers = b"".join(file.read_bytes() for folder in FOLDERS for file in sorted((root / folder).rglob("*.hpp")))
    seen: dict[Path, bool] = {}
    due: list[tuple[Path, Path, str]] = []
    for entry in json.loads((options.build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        if not file.is_relative_to(root) or file.relative_to(root).parts[0] not in FOLDERS:
            continue
        stamp = stamps / str(file.relative_to(root)).replace("/", "_")
        wanted = stamp_of(root, entry, headers)
        if not stamp.exists() or stamp.read_text() != wanted:
            due.append((file, stamp, wanted))
    due.sort(key=lambda item: not sees_heavy(root, item[0], seen))

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {pool.submit(tidy, options.build, file): (stamp, wanted) for file, stamp, wanted in due}
        for job in concurrent.futures.as_completed(jobs):
            file, seconds, status, output = job.result()
            stamp, wanted = jobs[job]
            if status == 0:
                stamp.write_text(wanted)
            else:
                failed += 1
                print(output)
            print(f"tidy {seconds:5.1f} s  {'ok' if status == 0 else 'FINDINGS'}  {file.relative_to(root)}", file=sys.stderr)
    print(f"tidy: {len(due)} files read, {failed} with findings", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
