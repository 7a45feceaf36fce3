// An exchange of messages through MQTT.js; prints a line for each step. Everything waits for an event, nothing sleeps.

'use strict';

const fs = require('node:fs');
const mqtt = require('mqtt');

const at = JSON.parse(process.argv[2]);
const five = at.version === 5;
const topic = (leaf) => at.prefix + leaf;
const PATIENCE = 30_000;

// What the server sends, in its order, whoever asks first.
class Inbox {
  constructor(client) {
    this.kept = [];
    this.waiting = [];
    client.on('message', (_, payload, packet) => {
      const waiting = this.waiting.shift();
      waiting ? waiting(packet) : this.kept.push(packet);
    });
  }

  next() {
    if (this.kept.length) return Promise.resolve(this.kept.shift());
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('no message')), PATIENCE);
      this.waiting.push((packet) => { clearTimeout(late); resolve(packet); });
    });
  }
}

// A client that is connected, with its inbox and whether its session goes on.
function connect(name, { lasting = false, will } = {}) {
  const client = mqtt.connect({
    host: at.host,
    port: at.port,
    protocol: { tcp: 'mqtt', tls: 'mqtts' }[at.transport] ?? at.transport,
    path: '/mqtt',
    ...(at.authority && { ca: fs.readFileSync(at.authority) }),
    protocolVersion: at.version,
    clientId: `${at.name}-${name}`,
    username: at.user,
    password: at.password,
    clean: !lasting,
    reconnectPeriod: 0,
    connectTimeout: PATIENCE,
    ...(five && { properties: { sessionExpiryInterval: lasting ? 3600 : 0 } }),
    ...(will && { will: { topic: topic('will'), payload: Buffer.from(will), qos: 1, retain: false } }),
  });
  const inbox = new Inbox(client);
  return new Promise((resolve, reject) => {
    client.once('connect', (connack) => resolve({ client, inbox, present: connack.sessionPresent }));
    client.once('error', reject);
  });
}

async function exchange() {
  const publisher = (await connect('publisher')).client;
  const { client: subscriber, inbox } = await connect('subscriber');
  const publish = (leaf, payload, qos, more) => publisher.publishAsync(topic(leaf), payload, { qos, ...more });

  const granted = await subscriber.subscribeAsync(topic('live'), { qos: 2 });
  console.log('granted', granted[0].qos);
  for (const qos of [0, 1, 2]) {
    await publish('live', `with ${qos}`, qos);
    const got = await inbox.next();
    if (got.payload.toString() !== `with ${qos}`) throw new Error(`not with ${qos}: ${got.payload}`);
    console.log('sent with', qos, 'arrived with', got.qos);
  }
  await publish('live', 'x'.repeat(100_000), 1);
  console.log('large', (await inbox.next()).payload.length);

  await publish('retained', 'kept', 1, { retain: true });
  await subscriber.subscribeAsync(topic('retained'), { qos: 1 });
  const retained = await inbox.next();
  console.log('retained', retained.payload.toString(), Number(retained.retain));

  await subscriber.subscribeAsync(topic('will'), { qos: 1 });
  const mortal = (await connect('mortal', { will: 'gone' })).client;
  mortal.stream.destroy();
  console.log('will', (await inbox.next()).payload.toString());

  let sleeper = await connect('sleeper', { lasting: true });
  if (sleeper.present) throw new Error('a session that never was');
  await sleeper.client.subscribeAsync(topic('queued'), { qos: 2 });
  await sleeper.client.endAsync();
  for (const qos of [1, 2, 1]) await publish('queued', `with ${qos}`, qos);
  sleeper = await connect('sleeper', { lasting: true });
  if (!sleeper.present) throw new Error('the session is gone');
  const queued = [];
  while (queued.length < 3) queued.push((await sleeper.inbox.next()).payload.toString());
  console.log(['resumed', ...queued.sort()].join(', '));
  await sleeper.client.endAsync();

  if (five) {
    const properties = {
      contentType: 'text/plain',
      responseTopic: topic('answer'),
      correlationData: Buffer.from('7'),
      userProperties: { b: '1', a: '2' },
    };
    await publish('live', 'with properties', 2, { properties });
    const got = (await inbox.next()).properties;
    if (got.responseTopic !== topic('answer')) throw new Error(`not the answer's topic: ${got.responseTopic}`);
    const users = Object.entries(got.userProperties).map(([name, value]) => `('${name}', '${value}')`);
    console.log('properties', got.contentType, got.correlationData.toString(), ...users);
  }
  await publisher.endAsync();
  await subscriber.endAsync();
}

exchange().catch((error) => { console.error(error); process.exit(1); });
