"""Requests to chosen workers behind one port, over kept connections, each answer counted by the worker that gave it.

Which worker takes a connection is the kernel's choice; a connection is opened again until it reached the one that is
wanted, and is then kept.
"""
import collections
import http.client
import json
import threading
import time

HUNT_SECONDS = 60


class Load:
    """`connections` to each worker of `pids`, one request every `pace` seconds on each, until stop()."""

    def __init__(self, port, pids, connections=2, pace=0.01, path="/items?rows=1"):
        self._port, self._pace, self._path = port, pace, path
        self._over = threading.Event()
        self._counted = threading.Condition()
        self.answers = collections.Counter()  # (pid that answered, status)
        self.broken = collections.Counter()   # pid that was wanted → connections that broke, and answers by another
        self.threads = [threading.Thread(target=self._one, args=(pid,), daemon=True)
                        for pid in pids for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def _request(self, connection, path):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        known = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(body)["pid"] if known else None

    def _hunt(self, wanted):
        end = time.monotonic() + HUNT_SECONDS
        while time.monotonic() < end and not self._over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            if self._request(connection, "/pid")[1] == wanted:
                return connection
            connection.close()
        raise OSError(f"no connection reached worker {wanted}")

    def _one(self, wanted):
        connection = None
        try:
            connection = self._hunt(wanted)
            while not self._over.wait(self._pace):
                status, pid = self._request(connection, self._path)
                with self._counted:
                    self.answers[pid or wanted, status] += 1
                    self._counted.notify_all()
        except (OSError, http.client.HTTPException, ValueError):
            with self._counted:
                self.broken[wanted] += 1
                self._counted.notify_all()
        finally:
            if connection:
                connection.close()

    def good(self, pid):
        return self.answers[pid, 200]

    def bad(self, pid):
        """What went wrong at that worker: {status: count}, and broken connections."""
        found = {status: count for (of, status), count in self.answers.items() if of == pid and status != 200}
        return {**found, **({"broken": self.broken[pid]} if self.broken[pid] else {})}

    def until(self, pid, count, deadline=120):
        """Waits until the worker has answered that many with 200."""
        with self._counted:
            enough = self._counted.wait_for(lambda: self.good(pid) >= count or self.broken[pid], timeout=deadline)
        assert enough and not self.broken[pid], f"worker {pid}: {self.good(pid)} of {count} answers, {self.bad(pid)}"

    def stop(self):
        self._over.set()
        for thread in self.threads:
            thread.join(60)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
