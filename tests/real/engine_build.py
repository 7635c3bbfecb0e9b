"""Makes the engine runnable: its packages and Prisma's generated client, in build/real, made once for each state of the
lock and the schema. Nothing is written into the source tree, and a second run only looks.
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "engine")
BUILD = os.environ.get("PLIMSOLL_REAL_BUILD") or os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "real")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
KEYED_BY = ("package.json", "package-lock.json", "prisma/schema.prisma")
ATTEMPTS = 3  # a registry has its bad minutes


def _key():
    digest = hashlib.sha256()
    for name in KEYED_BY:
        with open(os.path.join(SOURCE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def _environment():
    env = dict(os.environ)
    # Generating would fetch native engines, which this client does not use: any file that exists stands for them.
    env.update(PRISMA_SCHEMA_ENGINE_BINARY="/bin/true", PRISMA_QUERY_ENGINE_LIBRARY="/bin/true",
               CHECKPOINT_DISABLE="1", PRISMA_HIDE_UPDATE_MESSAGE="1")
    if os.path.exists(CERTIFICATES):
        env.setdefault("NODE_EXTRA_CA_CERTS", CERTIFICATES)
    return env


def _run(argv, folder):
    done = subprocess.run(argv, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")


def _install(folder):
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"], folder)
        except RuntimeError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(5 * attempt)


def ready_engine():
    """The path of a `query-engine` that can be started."""
    folder = os.path.join(BUILD, "engine-" + _key())
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once build it once
        if not os.path.exists(os.path.join(folder, ".made")):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(os.path.join(folder, "prisma"))
            for name in KEYED_BY:
                shutil.copy(os.path.join(SOURCE, name), os.path.join(folder, name))
            _install(folder)
            _run([os.path.join(folder, "node_modules", ".bin", "prisma"), "generate"], folder)
            with open(os.path.join(folder, ".made"), "w", encoding="ascii"):
                pass
        _copy_if_changed(os.path.join(SOURCE, "query-engine"), os.path.join(folder, "query-engine"))
    return os.path.join(folder, "query-engine")


def _copy_if_changed(source, target):
    with open(source, "rb") as file:
        wanted = file.read()
    if os.path.exists(target):
        with open(target, "rb") as file:
            if file.read() == wanted:
                return
    # Renamed into place: a running engine may have the old file open.
    with open(target + ".new", "wb") as file:
        file.write(wanted)
    os.chmod(target + ".new", 0o755)
    os.replace(target + ".new", target)


if __name__ == "__main__":
    print(ready_engine())
