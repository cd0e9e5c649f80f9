#!/usr/bin/python3
# Web servers with certificates of all kinds: good at 8443, expired at 8444, a stranger's at 8445; at 8446 one that sends to
# http, at 8447 one that sends to the good one. Bundles come slowly, so that there is something to see.
import http.server
import ssl
import threading
import time

HERE = "/usr/share/store-https"


class Files(http.server.SimpleHTTPRequestHandler):
    to = None

    def __init__(self, *args):
        super().__init__(*args, directory="/var")

    def do_GET(self):
        if not self.to:
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", self.to + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def copyfile(self, source, to):
        content = source.read()
        half = len(content) // 2 if self.path.endswith(".bundle") else 0
        to.write(content[:half])
        to.flush()
        time.sleep(1.5 if half else 0)
        to.write(content[half:])

    def log_message(self, *_):
        pass


def serve(port, certificate, to=None):
    handler = type("Handler", (Files,), {"to": to})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{HERE}/{certificate}.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever).start()


serve(8443, "good")
serve(8444, "expired")
serve(8445, "stranger")
serve(8446, "good", "http://shop.example:8080")
serve(8447, "good", "https://shop.example:8443")
print("listening", flush=True)
