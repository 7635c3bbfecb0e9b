"""`serve.py PROGRAM ARG…`: writes down what else of this application is alive, then becomes PROGRAM.

The answer to "was anything of the old run left when the new one began?" can only be had at that moment, before the port
is bound: so it is the new run itself that looks. All processes of one test carry the same PLIMSOLL_TEST_MARKER.
"""
import json
import os
import sys
import time


def others_of(mark):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (os.getpid(), os.getppid()):  # itself, and the daemon that started it
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                variables = file.read().split(b"\0")
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"PLIMSOLL_TEST_MARKER=" + mark.encode() in variables:
            found.append({"pid": int(name), "argv": [word.decode(errors="replace") for word in words]})
    return found


with open(os.environ["APP_JOURNAL"], "ab", buffering=0) as journal:
    others = others_of(os.environ["PLIMSOLL_TEST_MARKER"])
    line = {"at": time.time(), "pid": os.getpid(), "what": "run", "others": others}
    journal.write((json.dumps(line) + "\n").encode())
os.execv(sys.argv[1], sys.argv[1:])
