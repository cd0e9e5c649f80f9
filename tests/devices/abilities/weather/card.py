#!/usr/bin/python3
"""Card: fills cards with the weather, with jeepney."""

from jeepney import DBusAddress, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")


def call(bus, method, signature=None, body=()):
    reply = bus.send_and_get_reply(new_method_call(APP, method, signature, body))
    if reply.header.message_type is MessageType.error:
        print(f"{method}: {reply.body[0]}")
    return reply.body


def happens(bus, event, token, want):
    said = want.get("parameters", ("a{ss}", {}))[1]
    print(event, *(f"{name}={value}" for name, value in sorted(said.items())))
    if event == "form":
        words = {"title": "Vienna", "text": f"12 degrees in {said['size']}"}
        call(bus, "UpdateForm", "ua{ss}", (int(said["form"]), words))
        # One that is nobody's, and one that has too much on it.
        call(bus, "UpdateForm", "ua{ss}", (999, words))
        call(bus, "UpdateForm", "ua{ss}", (int(said["form"]), {"text": "x" * 20000}))
    if token:
        call(bus, "Done", "uay", (token, b""))
    return event != "terminate"


def main():
    bus = open_dbus_connection(bus="SESSION")
    lifecycle = MatchRule(type="signal", interface=APP.interface, member="Lifecycle")
    with bus.filter(lifecycle, bufsize=64) as told:
        call(bus, "Attach")
        while happens(bus, *bus.recv_until_filtered(told).body):
            pass


main()
