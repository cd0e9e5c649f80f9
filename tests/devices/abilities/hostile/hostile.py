#!/usr/bin/python3
"""Hostile: tries what no app may, and says how far it got."""

import os
import socket
import time

from jeepney import DBusAddress, HeaderFields, new_method_call
from jeepney.io.blocking import open_dbus_connection

BUS = os.environ["DBUS_SESSION_BUS_ADDRESS"].removeprefix("unix:path=")
PLACE = os.path.dirname(BUS)
APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")


def attempt(what, deed):
    try:
        deed()
        print(what, "got through")
    except OSError as e:
        print(what, type(e).__name__, e.errno)


def connect(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


def call(connection, method, **want):
    """The first word of an error, or what was answered."""
    want = {key: ("s", value) for key, value in want.items()}
    reply = connection.send_and_get_reply(new_method_call(APP, method, "a{sv}", (want,)))
    error = reply.header.fields.get(HeaderFields.error_name)
    return error.rsplit(".", 1)[-1] if error else reply.body


# What is in /run is memory of the whole device.
attempt("fill", lambda: open(PLACE + "/fill", "wb").write(b"x" * 1024))
attempt("open up", lambda: os.chmod(PLACE, 0o777))
attempt("take the bus away", lambda: os.unlink(BUS))

attempt("data", lambda: os.listdir("/var/lib/apps/org.example.plain"))
attempt("apps", lambda: os.listdir("/run/apps"))
attempt("abilities", lambda: connect("/run/ensemble/abilities.sock"))
attempt("services", lambda: connect("/run/ensemble/services.sock"))
attempt("processes", lambda: os.kill(1, 0))

bus = open_dbus_connection(bus="SESSION")
print("start", call(bus, "Start", bundle="org.example.plain", ability="main"))
print("look", call(bus, "Candidates", bundle="org.example.plain", ability="main"))
print("look at the first", call(bus, "Candidates", bundle="org.example.plain"))
print("look at its own", call(bus, "Candidates", bundle="org.example.hostile"))
time.sleep(3600)
