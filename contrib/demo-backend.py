#!/usr/bin/python3
"""A web server to be balanced, as small as can be: says who it is, and at /healthz that it is well.

    contrib/demo-backend.py 127.0.0.2 8080
"""

import errno
import http.server
import os
import signal
import socketserver
import sys


class Page(http.server.BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self):
        body = f"this is {self.server.server_address[0]}, process {os.getpid()}\n".encode()
        if self.path == "/healthz":
            body = b"ok\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Checks come every second: nothing to tell."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # of several pools, each with checks of its own: a full queue would look like a refusal

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's also looks up the host's name, which can take long

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # checks by TCP connect and reset: nothing to tell
            super().handle_error(request, client_address)


def main():
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal() or not 0 < int(sys.argv[2]) < 65536:
        sys.exit("usage: demo-backend.py ADDRESS PORT")
    address, port = sys.argv[1], int(sys.argv[2])
    try:
        server = Server((address, port), Page)
    except OSError as problem:
        why = "the address is in use" if problem.errno == errno.EADDRINUSE else os.strerror(problem.errno or 0)
        sys.exit(f"demo-backend.py: cannot listen on {address}, port {port}: {why}")
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(0))
    print(f"listening on {address}, port {port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
