"""An exchange of messages through aiomqtt; prints a line for each step. Everything waits for an event, nothing sleeps."""

import asyncio
import json
import os
import sys

import aiomqtt
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


def client(name, lasting=False, will=None):
    """A client that connects when it is entered."""
    if version == 5:
        expiry = of_5(PacketTypes.CONNECT, SessionExpiryInterval=3600 if lasting else 0)
        session = {"clean_start": not lasting, "properties": expiry}
    else:
        session = {"clean_session": not lasting}
    return aiomqtt.Client(
        at["host"],
        at["port"],
        identifier=f"{at['name']}-{name}",
        username=at["user"],
        password=at["password"],
        protocol=aiomqtt.ProtocolVersion.V5 if version == 5 else aiomqtt.ProtocolVersion.V311,
        will=will and aiomqtt.Will(prefix + "will", will, qos=1),
        transport="websockets" if at["transport"] in ("ws", "wss") else "tcp",
        tls_params=aiomqtt.TLSParameters(ca_certs=at["authority"]) if at["authority"] else None,
        timeout=PATIENCE,
        **session,
    )


async def message(c):
    return await asyncio.wait_for(anext(c.messages), PATIENCE)


def codes(granted):
    """Codes are numbers in 3.1.1 and objects in 5."""
    return [code if isinstance(code, int) else code.value for code in granted]


async def die():
    async with client("mortal", will="gone"):
        os._exit(0)


async def exchange():
    async with client("publisher") as publisher, client("subscriber") as subscriber:

        async def publish(topic, payload, qos, **more):
            await publisher.publish(prefix + topic, payload, qos, **more)

        print("granted", *codes(await subscriber.subscribe(prefix + "live", 2)))
        for qos in (0, 1, 2):
            await publish("live", f"with {qos}", qos)
            got = await message(subscriber)
            assert got.payload == f"with {qos}".encode()
            print("sent with", qos, "arrived with", got.qos)
        await publish("live", "x" * 100_000, 1)
        print("large", len((await message(subscriber)).payload))

        await publish("retained", "kept", 1, retain=True)
        await subscriber.subscribe(prefix + "retained", 1)
        got = await message(subscriber)
        print("retained", got.payload.decode(), int(got.retain))

        await subscriber.subscribe(prefix + "will", 1)
        mortal = await asyncio.create_subprocess_exec(
            sys.executable, __file__, json.dumps(at | {"dies": True})
        )
        assert await mortal.wait() == 0
        print("will", (await message(subscriber)).payload.decode())

        async with client("sleeper", lasting=True) as sleeper:
            await sleeper.subscribe(prefix + "queued", 2)
        for qos in (1, 2, 1):
            await publish("queued", f"with {qos}", qos)
        async with client("sleeper", lasting=True) as sleeper:
            queued = [(await message(sleeper)).payload.decode() for _ in range(3)]
        print("resumed", *sorted(queued), sep=", ")

        if version == 5:
            sent = of_5(
                PacketTypes.PUBLISH,
                ContentType="text/plain",
                ResponseTopic=prefix + "answer",
                CorrelationData=b"7",
                UserProperty=[("b", "1"), ("a", "2")],
            )
            await publish("live", "with properties", 2, properties=sent)
            got = (await message(subscriber)).properties
            assert got.ResponseTopic == prefix + "answer", got
            print("properties", got.ContentType, got.CorrelationData.decode(), *got.UserProperty)


asyncio.run(die() if "dies" in at else exchange())
