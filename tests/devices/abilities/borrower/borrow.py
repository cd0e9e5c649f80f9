#!/usr/bin/python3
"""Borrow: connects to a service of another app, with dbus-python, which is libdbus."""

import os
import socket
import time

import dbus

BUS = dbus.SessionBus()
APP = dbus.Interface(
    BUS.get_object("org.ensemble.App", "/org/ensemble/App", introspect=False), "org.ensemble.App1"
)


def connect(**want):
    end, number = APP.Connect(dbus.Dictionary(want, signature="sv"))
    return socket.socket(fileno=end.take()), number


def attempt(what, **want):
    try:
        connect(**want)
        print(what, "got through")
    except dbus.DBusException as e:
        print(what, e.get_dbus_name().rsplit(".", 1)[-1], "-", e.get_dbus_message())


def say(connection, text):
    connection.sendall(text)
    return connection.recv(1000).decode()


echo, first = connect(action="org.example.echo")
print("first:", say(echo, b"one"), "over", first)
again, second = connect(bundle="org.example.lender", ability="echo")
print("second:", say(again, b"two"), "over", second)

attempt("told no", bundle="org.example.lender", ability="echo", uri="no:")
attempt("own", bundle="org.example.lender", ability="own")
attempt("deaf", bundle="org.example.lender", ability="deaf")
attempt("none", action="org.example.none")

again.sendall(b"enough")
print("ended by the service:", again.recv(1000) == b"")

# Somebody kills the service: the other end is gone at once, and the next connection starts another one.
open(os.environ["HOME"] + "/ready", "w").close()
print("killed:", echo.recv(1000) == b"")
echo, third = connect(action="org.example.echo")
print("third:", say(echo, b"three"))
# Before it is closed: else the service may be told of the end, and say so, first.
APP.Disconnect(dbus.UInt32(third))
try:
    APP.Disconnect(dbus.UInt32(third))
except dbus.DBusException as e:
    print("twice:", e.get_dbus_message())
echo.close()
time.sleep(3600)
