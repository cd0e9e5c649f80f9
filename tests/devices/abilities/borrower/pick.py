#!/usr/bin/python3
"""Pick: wants what two abilities can do, again and again, with dbus-python.

It stands still while another is on the screen, so that it asks again when it is shown.
"""

import dbus

APP = dbus.Interface(
    dbus.SessionBus().get_object("org.ensemble.App", "/org/ensemble/App", introspect=False),
    "org.ensemble.App1",
)

for number in range(1, 6):
    print(number, "asks")
    try:
        # Longer than people take.
        APP.Start(dbus.Dictionary({"action": "org.example.pick"}, signature="sv"), timeout=90)
        print(number, "done")
    except dbus.DBusException as e:
        print(number, e.get_dbus_name().rsplit(".", 1)[-1], "-", e.get_dbus_message())
