"""What a hook asks: a small HTTP server of the test, on TCP or on a Unix socket, that answers as it is told and remembers."""

import http.server
import os
import socketserver
import threading


class HookServer:
    """`answers` is called with the request (dict of method, path, headers, number) and returns a status, or None to hang until
    the server is closed. `requests` keeps what came; `connections` counts the connections."""

    def __init__(self, answers, unix=None):
        self.answers = answers
        self.requests = []
        self.connections = 0
        self.unix = unix
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.connections += 1

            def do_POST(self):
                request = {"method": self.command, "path": self.path, "headers": dict(self.headers),
                           "number": len(outer.requests)}
                outer.requests.append(request)
                status = outer.answers(request)
                if status is None:
                    outer.over.wait()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        if unix:
            class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
                daemon_threads = True
            self.server = Server(str(unix), Handler)
        else:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def port(self):
        return self.server.server_address[1]

    def close(self):
        if self.over.is_set():
            return
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        if self.unix and os.path.exists(self.unix):
            os.unlink(self.unix)
