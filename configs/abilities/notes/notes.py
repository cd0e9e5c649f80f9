#!/usr/bin/python3
"""Notes: every want with a parameter `text` adds a line, and the lines are there again the next time.

The lines are the state of the ability: they are given away when it leaves the screen, and come back with the first
answer of the bus. What happens is said on standard output, which is the log.
"""

import sys

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")


def say(text):
    print(text, flush=True)


class Notes:
    def __init__(self, connection):
        self.connection = connection
        self.lines = []

    def call(self, method, signature=None, body=()):
        reply = self.connection.send_and_get_reply(new_method_call(APP, method, signature, body))
        if reply.header.message_type is MessageType.error:
            sys.exit(f"{method}: {reply.header.fields[HeaderFields.error_name]}: {reply.body}")
        return reply.body

    def attach(self):
        """Tells that we are here; gives why we run, with what was saved the last time."""
        (launch,) = self.call("Attach")
        launch = {key: value for key, (_, value) in launch.items()}
        state = launch.get("state", b"").decode()
        self.lines = state.splitlines()
        reason = launch.get("reason", "start")
        say(f"notes: {reason} with {len(self.lines)} lines")
        # Of what is opened again the want is the one it was opened for first: its line is there already.
        if reason != "restore" or not state:
            self.take(launch.get("want", {}))

    def take(self, want):
        """Adds the line that a want brings, if it does."""
        _, parameters = want.get("parameters", ("a{ss}", {}))
        if "text" in parameters:
            self.lines.append(parameters["text"].replace("\n", " "))
            say(f"notes: line {len(self.lines)}: {self.lines[-1]}")

    def happens(self, event, token, want):
        """Does what the device tells; false when it is time to go."""
        say(f"notes: {event}")
        if event == "want":
            self.take(want)
        # Lists of bytes go over the bus as bytes; the state counts when we leave the screen, and only then.
        state = "\n".join(self.lines).encode() if event == "background" else b""
        if token:
            self.call("Done", "uay", (token, state))
        return event != "terminate"


def main():
    connection = open_dbus_connection(bus="SESSION")
    notes = Notes(connection)
    lifecycle = MatchRule(type="signal", interface=APP.interface, member="Lifecycle")
    with connection.filter(lifecycle, bufsize=64) as told:
        notes.attach()
        while notes.happens(*connection.recv_until_filtered(told).body):
            pass
    say(f"notes: {len(notes.lines)} lines")


main()
