#!/usr/bin/python3
"""Asks the demo's workers for orders, each at a rate of its own, so that one engine leaks faster than the other.

    drive.py FOLDER 'N=QUERIES_PER_SECOND[xROWS]' …        for example  drive.py /tmp/demo 0=10 1=1
    drive.py FOLDER --once N ROWS                          one query, for a leap over a hard line

A result costs its engine about 230 bytes of memory a row for ever; the default is 5,000 rows, about 1.1 MB a query. Ends at SIGTERM; a
failed request is said and counted, and the driver goes on.
"""

import http.client
import json
import socket
import sys
import threading
import time


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("worker", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(folder, worker, rows):
    connection = Connection(f"{folder}/worker-{worker}.sock")
    try:
        connection.request("GET", f"/orders?rows={rows}")
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else {"error": answer.status}
    finally:
        connection.close()


def drive(folder, worker, rate, rows):
    failed = 0
    while True:
        began = time.monotonic()
        try:
            ask(folder, worker, rows)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failed += 1
            print(f"driver: worker {worker}: request failed ({error!r}), {failed} in all", flush=True)
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - began)))


def main():
    folder = sys.argv[1]
    if sys.argv[2] == "--once":
        print(json.dumps(ask(folder, sys.argv[3], int(sys.argv[4]))))
        return
    for order in sys.argv[2:]:
        worker, _, load = order.partition("=")
        rate, _, rows = load.partition("x")
        threading.Thread(target=drive, args=(folder, worker, float(rate), int(rows or 5000)), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
