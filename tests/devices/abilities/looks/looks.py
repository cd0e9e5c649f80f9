#!/usr/bin/python3
"""Looks: says which of its files fit the device, whenever somebody asks it to with SIGUSR1."""

import signal
import sys

from jeepney import DBusAddress, HeaderFields, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")

# It comes when somebody waits for it.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
bus = open_dbus_connection(bus="SESSION")


def look(name):
    reply = bus.send_and_get_reply(new_method_call(APP, "Resource", "s", (name,)))
    error = reply.header.fields.get(HeaderFields.error_name)
    if error:
        print("no", repr(name), error.rsplit(".", 1)[-1])
    else:
        print("path", reply.body[0])
        if name.endswith(".txt"):
            print("it says", open(reply.body[0]).read().strip())


for name in sys.argv[1:] or ["greeting.txt", "icon.svg", "none.txt", "../bundle.toml"]:
    look(name)
while True:
    signal.sigwait([signal.SIGUSR1])
    look("greeting.txt")
