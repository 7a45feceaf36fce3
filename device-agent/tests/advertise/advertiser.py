"""A BlueZ without a radio that takes advertisements, for python3-dbusmock.

It behaves as bluetoothd 5 does towards a client that advertises (BlueZ, doc/org.bluez.LEAdvertisingManager.rst): before it
answers the client it reads the properties of the client's object, refuses what is no such object, and takes one
advertisement of a client at a path.
"""

import dbus
from dbusmock import OBJECT_MANAGER_IFACE, mockobject
from dbusmock.templates.bluez5 import ADAPTER_IFACE

BUS_NAME = "org.bluez"
MAIN_OBJ = "/"
SYSTEM_BUS = True
IS_OBJECT_MANAGER = True
AIR_IFACE = "org.promenade.Air"
MANAGER_IFACE = "org.bluez.LEAdvertisingManager1"
ADVERTISEMENT_IFACE = "org.bluez.LEAdvertisement1"


def load(mock, _parameters):
    mock.advertisers = {}


@dbus.service.method(
    MANAGER_IFACE,
    in_signature="oa{sv}",
    out_signature="",
    sender_keyword="sender",
    async_callbacks=("done", "failed"),
)
def RegisterAdvertisement(self, path, _options, sender=None, done=None, failed=None):
    """A client wants its object to be sent."""
    manager = mockobject.objects["/"]
    if (self.path, sender, path) in manager.advertisers:
        failed(dbus.exceptions.DBusException("Already Exists", name="org.bluez.Error.AlreadyExists"))
        return
    advertisement = self.connection.get_object(sender, path, introspect=False)

    def read(properties):
        manager.advertisers[(self.path, sender, path)] = advertisement
        (company, data), = properties["ManufacturerData"].items()
        seen = [self.path, properties["Type"], company, data, properties["MinInterval"], properties["MaxInterval"]]
        done()
        manager.EmitSignal(AIR_IFACE, "Registered", "ssqayuu", seen)

    advertisement.GetAll(
        ADVERTISEMENT_IFACE, dbus_interface=dbus.PROPERTIES_IFACE, reply_handler=read, error_handler=failed
    )


@dbus.service.method(AIR_IFACE, in_signature="sb", out_signature="")
def PlugIn(self, name, advertises):
    """An adapter comes, which can advertise or not."""
    path = "/org/bluez/" + name
    properties = {"Powered": dbus.Boolean(True, variant_level=1)}
    self.AddObject(path, ADAPTER_IFACE, properties, [])
    if advertises:
        instances = {"SupportedInstances": dbus.Byte(5, variant_level=1)}
        mockobject.objects[path].AddProperties(MANAGER_IFACE, instances)
    self.EmitSignal(
        OBJECT_MANAGER_IFACE, "InterfacesAdded", "oa{sa{sv}}", [dbus.ObjectPath(path), {ADAPTER_IFACE: properties}]
    )


@dbus.service.method(AIR_IFACE, in_signature="s", out_signature="")
def PullOut(self, name):
    """An adapter goes, and what it sent."""
    path = "/org/bluez/" + name
    self.RemoveObject(path)
    self.advertisers = {key: value for key, value in self.advertisers.items() if key[0] != path}
    self.EmitSignal(OBJECT_MANAGER_IFACE, "InterfacesRemoved", "oas", [dbus.ObjectPath(path), [ADAPTER_IFACE]])


@dbus.service.method(AIR_IFACE, in_signature="", out_signature="")
def Release(self):
    """BlueZ gives up everything that it sends."""
    advertisers, self.advertisers = self.advertisers, {}
    for advertisement in advertisers.values():
        advertisement.Release(dbus_interface=ADVERTISEMENT_IFACE, reply_handler=lambda: None, error_handler=print)
