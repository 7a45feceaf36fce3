"""The BlueZ of the agent's tests, which makes a steady air by itself, so that nothing else is at work during a bench.

`AIR` in the environment names `device-agent/tests/bluez/air.py`. All that differs is where advertisements come from.
"""

import os
import time

from gi.repository import GLib

with open(os.environ["AIR"]) as template:
    exec(compile(template.read(), os.environ["AIR"], "exec"))

UUID = bytes.fromhex("f7826da64fa24e988024bc5b71e0893e")


def ibeacon(minor):
    """Apple's proximity beacon: type 0x02, 21 bytes, UUID, major, minor, level at a metre."""
    return bytes([0x02, 0x15]) + UUID + (1).to_bytes(2, "big") + minor.to_bytes(2, "big") + bytes([0xC5])


@dbus.service.method(AIR_IFACE, in_signature="uu", out_signature="")
def Blow(self, senders, per_second):
    """From now on so many senders advertise in turn, together so often a second."""
    started = time.monotonic()
    self.told, self.blows = 0, True

    def tick():
        due = int((time.monotonic() - started) * per_second)
        while self.blows and self.told < due:
            sender = self.told % senders
            address = "C0:FF:EE:00:%02X:%02X" % divmod(sender, 256)
            if not Advertise(self, "hci0", address, "random", -50 - self.told % 30, {0x004C: ibeacon(sender)}, {}):
                return False
            self.told += 1
        return self.blows

    GLib.timeout_add(10, tick)


@dbus.service.method(AIR_IFACE, in_signature="", out_signature="u")
def Told(self):
    """How many advertisements there were."""
    return self.told


@dbus.service.method(AIR_IFACE, in_signature="", out_signature="")
def Calm(self):
    """Nobody advertises any more."""
    self.blows = False


@dbus.service.method(AIR_IFACE, in_signature="", out_signature="b")
def IsHeard(self):
    """Whether a scan is on."""
    return mockobject.objects["/org/bluez/hci0"].props[ADAPTER_IFACE]["Discovering"]
