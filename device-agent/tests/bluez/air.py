"""A BlueZ without a radio, for python3-dbusmock: adapters that come and go, and advertisements as bluetoothd tells them.

It behaves as bluetoothd 5 does towards a client that scans with DuplicateData (BlueZ, doc/org.bluez.Adapter.rst):

- the first advertisement of an address is an InterfacesAdded of ObjectManager, with all its properties;
- each further one is a PropertiesChanged of the device with its level and its data;
- nothing is told while no scan is on, and a scan's end takes the level away.

`Sleep` makes it deaf as a real one gets after hours: the scan is on by its properties, and nothing is told until the
scan is begun anew.
"""

import dbus
from dbusmock import OBJECT_MANAGER_IFACE, mockobject
from dbusmock.templates.bluez5 import ADAPTER_IFACE, DEVICE_IFACE

BUS_NAME = "org.bluez"
MAIN_OBJ = "/"
SYSTEM_BUS = True
IS_OBJECT_MANAGER = True
AIR_IFACE = "org.promenade.Air"


def load(mock, _parameters):
    mock.scans = 0
    mock.asleep = False


def told(rssi, manufacturers, services):
    """The properties of a device that one advertisement changes."""
    properties = {"RSSI": dbus.Int16(rssi, variant_level=1)}
    if manufacturers:
        properties["ManufacturerData"] = dbus.Dictionary(
            {
                dbus.UInt16(company): dbus.Array(bytes(data), signature="y", variant_level=1)
                for company, data in manufacturers.items()
            },
            signature="qv",
            variant_level=1,
        )
    if services:
        properties["ServiceData"] = dbus.Dictionary(
            {
                str(uuid): dbus.Array(bytes(data), signature="y", variant_level=1)
                for uuid, data in services.items()
            },
            signature="sv",
            variant_level=1,
        )
    return properties


def set_discovering(adapter, on):
    """Switches an adapter's scan, as seen by clients."""
    manager = mockobject.objects["/"]
    properties = adapter.props[ADAPTER_IFACE]
    if on:
        if not properties["Powered"]:
            raise dbus.exceptions.DBusException("Resource Not Ready", name="org.bluez.Error.NotReady")
        manager.scans += 1
        manager.asleep = False
    elif not properties["Discovering"]:
        raise dbus.exceptions.DBusException("No discovery started", name="org.bluez.Error.Failed")
    properties["Discovering"] = dbus.Boolean(on, variant_level=1)
    if not on:
        for path, device in mockobject.objects.items():
            if path.startswith(adapter.path + "/"):
                device.props[DEVICE_IFACE].pop("RSSI", None)
    changed = {"Discovering": dbus.Boolean(on, variant_level=1)}
    adapter.EmitSignal(dbus.PROPERTIES_IFACE, "PropertiesChanged", "sa{sv}as", [ADAPTER_IFACE, changed, []])
    manager.EmitSignal(AIR_IFACE, "Scans", "ub", [dbus.UInt32(manager.scans), dbus.Boolean(on)])


@dbus.service.method(ADAPTER_IFACE, in_signature="", out_signature="")
def StartDiscovery(self):
    set_discovering(self, True)


@dbus.service.method(ADAPTER_IFACE, in_signature="", out_signature="")
def StopDiscovery(self):
    set_discovering(self, False)


@dbus.service.method(ADAPTER_IFACE, in_signature="a{sv}", out_signature="")
def SetDiscoveryFilter(self, wanted):
    assert wanted["DuplicateData"], "without it BlueZ tells of each device once only"


@dbus.service.method(AIR_IFACE, in_signature="sb", out_signature="")
def PlugIn(self, name, powered):
    """An adapter comes."""
    path = "/org/bluez/" + name
    properties = {
        "Address": dbus.String("00:01:02:03:04:05", variant_level=1),
        "AddressType": dbus.String("public", variant_level=1),
        "Name": dbus.String("test", variant_level=1),
        "Alias": dbus.String("test", variant_level=1),
        "Modalias": dbus.String("usb:v1D6Bp0246d0540", variant_level=1),
        "Class": dbus.UInt32(0, variant_level=1),
        "Powered": dbus.Boolean(powered, variant_level=1),
        "Discovering": dbus.Boolean(False, variant_level=1),
    }
    methods = [
        ("StartDiscovery", "", "", StartDiscovery),
        ("StopDiscovery", "", "", StopDiscovery),
        ("SetDiscoveryFilter", "a{sv}", "", SetDiscoveryFilter),
    ]
    self.AddObject(path, ADAPTER_IFACE, properties, methods)
    self.EmitSignal(
        OBJECT_MANAGER_IFACE, "InterfacesAdded", "oa{sa{sv}}", [dbus.ObjectPath(path), {ADAPTER_IFACE: properties}]
    )


@dbus.service.method(AIR_IFACE, in_signature="s", out_signature="")
def PullOut(self, name):
    """An adapter goes, and all that was heard by it."""
    path = "/org/bluez/" + name
    for gone in [other for other in mockobject.objects if other.startswith(path + "/")] + [path]:
        interface = ADAPTER_IFACE if gone == path else DEVICE_IFACE
        self.RemoveObject(gone)
        self.EmitSignal(OBJECT_MANAGER_IFACE, "InterfacesRemoved", "oas", [dbus.ObjectPath(gone), [interface]])


@dbus.service.method(AIR_IFACE, in_signature="", out_signature="")
def Sleep(self):
    """From now on nothing is told, until a scan is begun."""
    self.asleep = True


@dbus.service.method(AIR_IFACE, in_signature="sssna{qay}a{say}", out_signature="b")
def Advertise(self, adapter, address, kind, rssi, manufacturers, services):
    """One advertisement comes over the air; whether clients are told."""
    adapter_path = "/org/bluez/" + adapter
    receiver = mockobject.objects.get(adapter_path)
    if receiver is None or not receiver.props[ADAPTER_IFACE]["Discovering"] or self.asleep:
        return False
    path = adapter_path + "/dev_" + address.replace(":", "_")
    changed = told(rssi, manufacturers, services)
    if path in mockobject.objects:
        device = mockobject.objects[path]
        device.props[DEVICE_IFACE].update(changed)
        device.EmitSignal(dbus.PROPERTIES_IFACE, "PropertiesChanged", "sa{sv}as", [DEVICE_IFACE, changed, []])
        return True
    properties = {
        "Address": dbus.String(address, variant_level=1),
        "AddressType": dbus.String(kind, variant_level=1),
        "Alias": dbus.String(address.replace(":", "-"), variant_level=1),
        "Adapter": dbus.ObjectPath(adapter_path, variant_level=1),
        "UUIDs": dbus.Array([], signature="s", variant_level=1),
    }
    for flag in ("Paired", "Bonded", "Connected", "Trusted", "Blocked", "LegacyPairing", "ServicesResolved"):
        properties[flag] = dbus.Boolean(False, variant_level=1)
    properties.update(changed)
    self.AddObject(path, DEVICE_IFACE, properties, [])
    self.EmitSignal(
        OBJECT_MANAGER_IFACE, "InterfacesAdded", "oa{sa{sv}}", [dbus.ObjectPath(path), {DEVICE_IFACE: properties}]
    )
    return True
