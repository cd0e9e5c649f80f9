#!/usr/bin/python3
"""Kiosk: serves one page, in the language and the colours of the device, once the owner lets it.

A kernel does not widen a sandbox: what the owner allows counts from the next start of the instance on. So this one ends when
it was allowed, and whoever opens it again finds it with its network.
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")
NETWORK = "network-server"
PORT = 8080


class App:
    """The device, as far as an app asks it: one call after the other. Who must not wait has a connection of its own."""

    def __init__(self):
        self.connection = open_dbus_connection(bus="SESSION")

    def call(self, method, signature=None, body=()):
        reply = self.connection.send_and_get_reply(new_method_call(APP, method, signature, body))
        if reply.header.message_type is MessageType.error:
            sys.exit(f"{method}: {reply.header.fields[HeaderFields.error_name]}: {reply.body}")
        return reply.body

    def resource(self, name):
        """The bytes of the resource that fits this device as it is now."""
        (path,) = self.call("Resource", "s", (name,))
        with open(path, "rb") as file:
            return file.read()


class Page(BaseHTTPRequestHandler):
    files = {}

    def do_GET(self):
        kind, content = self.files.get(self.path, (None, None))
        if kind is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def may_serve(app):
    """Whether this instance has the network; asks the owner if nobody has yet."""
    (answer,) = app.call("Permissions", "as", ([NETWORK],))
    if answer[NETWORK] == "granted":
        return True
    print("kiosk: asks the owner for", NETWORK)
    (answer,) = app.call("Request", "as", ([NETWORK],))
    print("kiosk: the answer is", answer[NETWORK])
    return False


def serve():
    """Serves the page, or ends this instance. The owner may take his time."""
    app = App()
    if not may_serve(app):
        return app.call("Terminate")
    Page.files = {
        "/": ("text/html; charset=utf-8", app.resource("page.html")),
        "/style.css": ("text/css", app.resource("style.css")),
    }
    with Server(("", PORT), Page) as server:
        print("kiosk: the page is at port", PORT)
        server.serve_forever()


def main():
    app = App()
    lifecycle = MatchRule(type="signal", interface=APP.interface, member="Lifecycle")
    with app.connection.filter(lifecycle, bufsize=64) as told:
        app.call("Attach")
        threading.Thread(target=serve, daemon=True).start()
        event = None
        while event != "terminate":
            event, token, _ = app.connection.recv_until_filtered(told).body
            if token:
                app.call("Done", "uay", (token, b""))


main()
