#!/usr/bin/python3
"""Hog: takes memory until so many percent of all are left, as the parameter `leave` of a want says; slowly at the end."""

import threading
import time

from jeepney import DBusAddress, MatchRule, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")
PIECE = 1 << 20
held = []


def left():
    with open("/proc/meminfo") as lines:
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return 100 * sizes["MemAvailable"] / sizes["MemTotal"]


def take(leave):
    while left() > leave:
        held.append(b"x" * PIECE)
        if left() < 10:
            time.sleep(0.1)
    print("holds", len(held), "MiB,", round(left()), "percent are left")


def wanted(want):
    leave = want.get("parameters", ("", {}))[1].get("leave")
    if leave:
        threading.Thread(target=take, args=(float(leave),), daemon=True).start()


bus = open_dbus_connection(bus="SESSION")
with bus.filter(MatchRule(type="signal", interface=APP.interface, member="Lifecycle"), bufsize=64) as told:
    (launch,) = bus.send_and_get_reply(new_method_call(APP, "Attach")).body
    print("begins with", launch.get("state", ("", b""))[1].decode() or "nothing")
    if "state" not in launch:
        wanted(launch.get("want", ("", {}))[1])
    while True:
        event, token, want = bus.recv_until_filtered(told).body
        print(event, want.get("parameters", ("", {}))[1].get("level", ""))
        wanted(want)
        if token:
            state = b"what it kept" if event == "background" else b""
            bus.send_and_get_reply(new_method_call(APP, "Done", "uay", (token, state)))
        if event == "terminate":
            break
