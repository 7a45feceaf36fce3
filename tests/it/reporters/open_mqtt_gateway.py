"""What OpenMQTTGateway does on its connection, through paho-mqtt; prints a line for each step. Nothing sleeps."""

import json
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

host, port, device, secret, messages = sys.argv[1:]
PATIENCE = 30
BASE = "home/OpenMQTTGateway"

heard = queue.Queue()
c = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="OpenMQTTGateway", protocol=4)
c.username_pw_set(device, secret)
c.will_set(BASE + "/LWT", "offline", qos=0, retain=True)
c.on_connect = lambda c, u, flags, code, props: heard.put(("connected", code.value))
c.on_disconnect = lambda c, u, flags, code, props: heard.put(("disconnected", code.value))
c.on_publish = lambda c, u, mid, code, props: heard.put(("published", mid))
c.on_subscribe = lambda c, u, mid, codes, props: heard.put(("subscribed", codes[0].value))
c.connect(host, int(port))
c.loop_start()


def wait(kind):
    """The next event of a kind; others in between are passed over."""
    while True:
        what, value = heard.get(timeout=PATIENCE)
        assert what != "disconnected", "the connection ended"
        if what == kind:
            return value


assert wait("connected") == 0
c.publish(BASE + "/LWT", "online", retain=True)
c.publish(BASE + "/version", "1.8.1", retain=True)
c.subscribe(BASE + "/commands/#")
print("subscription refused", wait("subscribed"))
c.publish("homeassistant/sensor/OpenMQTTGateway/config", json.dumps({"name": "SYS"}), retain=True)
c.publish(BASE + "/SYStoMQTT", json.dumps({"uptime": 7, "rssi": -51}))
c.publish(BASE + "/BTtoMQTT", json.dumps({"interval": 55555, "scnct": 1}))
with open(messages) as file:
    for item in json.load(file):
        c.publish(item["topic"], json.dumps(item["message"]))
c.publish(BASE + "/BTtoMQTT/AABBCCDDEE01", json.dumps({"id": "AA:BB:CC:DD:EE:01", "state": "offline"}))
# Not what it does, but its acknowledgement says that all before it was taken.
last = c.publish(BASE + "/SYStoMQTT", json.dumps({"uptime": 8}), qos=1)
while wait("published") != last.mid:
    pass
print("all taken")
c.disconnect()
c.loop_stop()
