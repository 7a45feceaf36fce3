"""An exchange of messages through paho-mqtt; prints a line for each step. Everything waits for an event, nothing sleeps."""

import json
import os
import queue
import subprocess
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

at = json.loads(sys.argv[1])
version = at["version"]
prefix = at["prefix"]
PATIENCE = 30


def of_5(packet, **values):
    """Properties of version 5; none in 3.1.1."""
    if version != 5:
        return None
    properties = Properties(packet)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def connect(name, lasting=False, will=None):
    """A client whose callbacks put what they hear into a queue; it is connected when this returns."""
    heard = queue.Queue()
    clean = {} if version == 5 else {"clean_session": not lasting}
    c = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{at['name']}-{name}",
        protocol=version,
        transport="websockets" if at["transport"] in ("ws", "wss") else "tcp",
        **clean,
    )
    if at["authority"]:
        c.tls_set(at["authority"])
    c.username_pw_set(at["user"], at["password"])
    if will:
        c.will_set(prefix + "will", will, qos=1)
    c.on_connect = lambda c, u, flags, code, props: heard.put(("connected", (code.value, flags.session_present)))
    c.on_publish = lambda c, u, mid, code, props: heard.put(("published", mid))
    c.on_subscribe = lambda c, u, mid, codes, props: heard.put(("subscribed", [code.value for code in codes]))
    c.on_message = lambda c, u, message: heard.put(("message", message))
    if version == 5:
        expiry = of_5(PacketTypes.CONNECT, SessionExpiryInterval=3600 if lasting else 0)
        c.connect(at["host"], at["port"], clean_start=not lasting, properties=expiry)
    else:
        c.connect(at["host"], at["port"])
    c.loop_start()
    code, present = wait(heard, "connected")
    assert code == 0, code
    return c, heard, present


def wait(heard, kind):
    """The next event of a kind; others in between are passed over."""
    while True:
        what, value = heard.get(timeout=PATIENCE)
        if what == kind:
            return value


def publish(topic, payload, qos, retain=False, properties=None):
    publisher.publish(prefix + topic, payload, qos, retain, properties).wait_for_publish(PATIENCE)


def subscribe(client, topic, qos):
    c, heard, _ = client
    c.subscribe(prefix + topic, qos)
    return wait(heard, "subscribed")


def leave(client):
    client[0].disconnect()
    client[0].loop_stop()


if "dies" in at:
    connect("mortal", will="gone")
    os._exit(0)

publisher, published, _ = connect("publisher")
subscriber = connect("subscriber")
print("granted", *subscribe(subscriber, "live", 2))
for qos in (0, 1, 2):
    publish("live", f"with {qos}", qos)
    message = wait(subscriber[1], "message")
    assert message.payload == f"with {qos}".encode()
    print("sent with", qos, "arrived with", message.qos)
publish("live", "x" * 100_000, 1)
print("large", len(wait(subscriber[1], "message").payload))

publish("retained", "kept", 1, retain=True)
subscribe(subscriber, "retained", 1)
message = wait(subscriber[1], "message")
print("retained", message.payload.decode(), int(message.retain))

subscribe(subscriber, "will", 1)
subprocess.run([sys.executable, __file__, json.dumps(at | {"dies": True})], check=True)
print("will", wait(subscriber[1], "message").payload.decode())

sleeper = connect("sleeper", lasting=True)
assert not sleeper[2]
subscribe(sleeper, "queued", 2)
leave(sleeper)
for qos in (1, 2, 1):
    publish("queued", f"with {qos}", qos)
sleeper = connect("sleeper", lasting=True)
assert sleeper[2], "the session is gone"
print("resumed", *sorted(wait(sleeper[1], "message").payload.decode() for _ in range(3)), sep=", ")
leave(sleeper)

if version == 5:
    sent = of_5(
        PacketTypes.PUBLISH,
        ContentType="text/plain",
        ResponseTopic=prefix + "answer",
        CorrelationData=b"7",
        UserProperty=[("b", "1"), ("a", "2")],
    )
    publish("live", "with properties", 2, properties=sent)
    got = wait(subscriber[1], "message").properties
    assert got.ResponseTopic == prefix + "answer", got
    print("properties", got.ContentType, got.CorrelationData.decode(), *got.UserProperty)
leave((publisher,))
leave(subscriber)
