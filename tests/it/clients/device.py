"""Steps of a device through paho-mqtt; prints a line for each. Everything waits for an event, nothing sleeps."""

import json
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

host, port, version, device, secret, other, body = sys.argv[1:]
version = int(version)
PATIENCE = 30


def client(password):
    """A client whose callbacks put what they hear into a queue."""
    heard = queue.Queue()
    c = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="paho", protocol=version)
    c.username_pw_set(device, password)
    c.on_connect = lambda c, u, flags, code, props: heard.put(("connected", code.value))
    c.on_disconnect = lambda c, u, flags, code, props: heard.put(("disconnected", code.value))
    c.on_publish = lambda c, u, mid, code, props: heard.put(("published", code.value))
    c.on_subscribe = lambda c, u, mid, codes, props: heard.put(("subscribed", codes[0].value))
    c.on_message = lambda c, u, message: heard.put(("message", message))
    c.connect(host, int(port))
    c.loop_start()
    return c, heard


def wait(heard, kind):
    """The next event of a kind; others in between are passed over."""
    while True:
        what, value = heard.get(timeout=PATIENCE)
        if what == kind:
            return value


c, heard = client(secret)
assert wait(heard, "connected") == 0
c.subscribe(f"v1/{device}/receipts", qos=1)
assert wait(heard, "subscribed") == 1
c.publish(f"v1/{device}/pings", body, qos=1)
assert wait(heard, "published") == 0
print("published")
receipt = json.loads(wait(heard, "message").payload)
assert receipt["through"] == json.loads(body)["seq"], receipt
print("receipt through")
c.subscribe("#", qos=1)
print("wildcard refused", wait(heard, "subscribed"))
c.subscribe(f"v1/{other}/receipts", qos=1)
print("foreign subscription refused", wait(heard, "subscribed"))
c.reconnect_delay_set(60, 60)
c.publish(f"v1/{other}/pings", body, qos=1)
if version == 5:
    print("foreign publish refused", wait(heard, "published"))
else:
    wait(heard, "disconnected")
    print("foreign publish ends the connection")
c.disconnect()
c.loop_stop()

c, heard = client("A" * 43)
code = wait(heard, "connected")
# paho turns the codes of 3.1.1 into those of 5.
print("wrong secret refused", code if version == 5 else {134: 4}.get(code, code))
c.loop_stop()
