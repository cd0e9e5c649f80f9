#!/usr/bin/python3
"""Player: does what the parameter `do` of a want says, and says what came of it.

do=BeginTask, do=EndTask:NUMBER, do=BeginContinuous:MODE, do=EndContinuous:NUMBER, do=Progress:NUMBER:DONE:TOTAL, do=Restart.
It attaches again when the device has lost it.
"""

import sys
import time

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")


def call(bus, method, signature=None, body=()):
    reply = bus.send_and_get_reply(new_method_call(APP, method, signature, body))
    if reply.header.message_type is MessageType.error:
        return reply.header.fields[HeaderFields.error_name].rsplit(".", 1)[-1], *reply.body
    return reply.body


def do(bus, want):
    word = want.get("parameters", ("", {}))[1].get("do")
    if not word:
        return
    method, _, what = word.partition(":")
    if method.startswith("End"):
        answer = call(bus, method, "u", (int(what),))
    elif method == "Progress":
        answer = call(bus, method, "utt", tuple(int(number) for number in what.split(":")))
    elif method == "Restart":
        answer = call(bus, method, "ay", (b"where it was",))
        if not answer:
            sys.exit()
    elif method == "BeginTask":
        answer = call(bus, method, "s", ("Saves the list",))
    else:
        answer = call(bus, method, "ss", (what, "Plays music"))
    print(word, *answer)


def live(bus, again):
    """Until the device is gone, or says that it is time to go."""
    with bus.filter(MatchRule(type="signal", interface=APP.interface, member="Lifecycle"), bufsize=64) as told:
        (launch,) = call(bus, "Attach")
        reason, state = (launch.get(key, ("", b""))[1] for key in ("reason", "state"))
        if not again:
            print("attached", reason, bytes(state).decode())
        # What it was restored with was done before it ended.
        if not again and reason != "restore":
            do(bus, launch.get("want", ("", {}))[1])
        while True:
            event, token, want = bus.recv_until_filtered(told).body
            do(bus, want)
            print(event, *(f"{key}={value}" for key, value in sorted(want.get("parameters", ("", {}))[1].items())))
            if token:
                call(bus, "Done", "uay", (token, b""))
            if event == "terminate":
                return


lost = False
while True:
    try:
        live(open_dbus_connection(bus="SESSION"), lost)
        break
    except (OSError, EOFError) as e:
        lost = True
        print("lost:", e)
        time.sleep(0.1)
