#!/usr/bin/python3
"""Echo: a service that says back what is said over a connection, with jeepney.

It takes every connection but those that are wanted for `uri` "no:", and ends one when it hears "enough".
"""

import select

from jeepney import DBusAddress, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

APP = DBusAddress("/org/ensemble/App", bus_name="org.ensemble.App", interface="org.ensemble.App1")


class Echo:
    def __init__(self):
        # Connections come as descriptors.
        self.bus = open_dbus_connection(bus="SESSION", enable_fds=True)
        self.connections = {}

    def call(self, method, signature=None, body=()):
        reply = self.bus.send_and_get_reply(new_method_call(APP, method, signature, body))
        if reply.header.message_type is MessageType.error:
            print(f"{method}: {reply.body[0]}")
            return None
        return reply.body

    def connect(self, token, want):
        if want.get("uri", ("s", ""))[1] == "no:":
            self.call("Done", "uay", (token, b""))
            print("said no")
            return
        taken = self.call("Accept", "u", (token,))
        if taken:
            end, caller = taken
            self.connections[end.to_socket()] = token
            print(f"connected by {caller}")

    def end(self, connection, why):
        """Tells that nobody is there any more; the device may have said so before."""
        token = self.connections.pop(connection)
        connection.close()
        self.call("Done", "uay", (token, b""))
        print(f"ended by {why}")

    def hear(self, connection):
        said = connection.recv(1000)
        if not said:
            self.end(connection, "the caller")
        elif said == b"enough":
            self.end(connection, "itself")
        else:
            connection.sendall(b"echo of " + said)

    def happens(self, event, token, want):
        """Does what the device tells; false when it is time to go."""
        print(event)
        if event == "connect":
            self.connect(token, want)
        elif token:
            self.call("Done", "uay", (token, b""))
        return event != "terminate"

    def wait(self, told):
        """Hears what is said over connections, until the device has told something."""
        while not told:
            ready, _, _ = select.select([self.bus.sock, *self.connections], [], [])
            said = [one for one in ready if one in self.connections]
            for one in said:
                self.hear(one)
            # What was there may have come along with an answer.
            if not said:
                self.bus.recv_messages()

    def live(self):
        lifecycle = MatchRule(type="signal", interface=APP.interface, member="Lifecycle")
        with self.bus.filter(lifecycle, bufsize=64) as told:
            (launch,) = self.call("Attach")
            print(f"runs because of {launch['reason'][1]}")
            while True:
                self.wait(told)
                if not self.happens(*told.popleft().body):
                    return


Echo().live()
