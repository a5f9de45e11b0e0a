"""What lies between an EA and the server, and can do wrong: it loses, holds, changes and repeats answers.

Stands in front of the fake and of a real server alike. `fault` is called with each exchange.
"""

import http.client
import http.server
import threading
import urllib.parse


class Exchange:
    """A request, and the answer once it is known."""

    def __init__(self, operation, method, target, headers, body):
        self.operation, self.method, self.target, self.headers, self.body = operation, method, target, headers, body
        self.status, self.answer_headers, self.answer = 0, {}, b""


class Lost(Exception):
    """The connection ends without an answer."""


class Wire:
    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream)
        # Before the server sees it, and before the EA does.
        self.before = None
        self.after = None
        self.seen = []
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.pass_on()

            def do_POST(self):
                self.pass_on()

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self.close_connection = True
                operation = self.path.split("?")[0].rsplit("/", 1)[1]
                exchange = Exchange(operation, self.command, self.path, dict(self.headers), body)
                try:
                    wire.exchange(exchange)
                except (Lost, OSError, http.client.HTTPException):
                    return
                self.send_response(exchange.status)
                for name, value in exchange.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(exchange.answer)))
                self.end_headers()
                try:
                    self.wfile.write(exchange.answer)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def exchange(self, exchange):
        if self.before:
            self.before(exchange)
        kind = http.client.HTTPSConnection if self.upstream.scheme == "https" else http.client.HTTPConnection
        name = self.upstream.hostname
        here = "127.0.0.1" if name.endswith(".localhost") else name
        connection = kind(here, self.upstream.port, timeout=10)
        kept = {"accept", "content-type", "marque-signature", "user-agent"}
        headers = {name: value for name, value in exchange.headers.items() if name.lower() in kept}
        headers["Host"] = self.upstream.netloc
        connection.request(exchange.method, exchange.target, exchange.body or None, headers)
        answer = connection.getresponse()
        exchange.answer, exchange.status = answer.read(), answer.status
        left = {"transfer-encoding", "content-length", "connection", "date", "server"}
        exchange.answer_headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in left}
        connection.close()
        self.seen.append(exchange)
        if self.after:
            self.after(exchange)

    def heal(self):
        self.before = self.after = None

    def close(self):
        self.server.shutdown()
        self.server.server_close()
