//! A broker of a hundred lines that understands just enough of MQTT 3.1.1 and 5 to take publishes, remember them, relay
//! them to subscribers of their topic, and lose connections or messages when it is told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;

/// How it treats its clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// The return code of every CONNACK.
    pub(crate) connack: u8,
    /// Every so many publishes it takes one and hangs up instead of acknowledging; 0 never.
    pub(crate) hang_up_every: usize,
    /// Every so many publishes it relays one to nobody; 0 never.
    pub(crate) lose_every: usize,
}

/// What it took, and from whom.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Bodies by topic, in the order they came, repeats included.
    pub(crate) bodies: HashMap<String, Vec<Vec<u8>>>,
    /// The protocol level of each sign-in: 4 or 5.
    pub(crate) sign_ins: Vec<u8>,
    publishes: usize,
}

type Writer = Arc<AsyncMutex<OwnedWriteHalf>>;
type Subscribers = Arc<AsyncMutex<HashMap<String, Vec<Writer>>>>;

/// Starts it; it ends with the runtime.
pub(crate) async fn start(manners: Manners) -> (String, Arc<Mutex<Taken>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let taken = Arc::new(Mutex::new(Taken::default()));
    let (shared, subscribers) = (Arc::clone(&taken), Subscribers::default());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, manners, Arc::clone(&shared), Arc::clone(&subscribers)));
        }
    });
    (address, taken)
}

/// One connection; `None` is its end.
async fn serve(
    socket: TcpStream,
    manners: Manners,
    taken: Arc<Mutex<Taken>>,
    subscribers: Subscribers,
) -> Option<()> {
    // Without it small acknowledgements wait for each other, 40 ms at a time.
    socket.set_nodelay(true).ok()?;
    let (mut read, write) = socket.into_split();
    let write = Arc::new(AsyncMutex::new(write));
    let (first, connect) = packet(&mut read).await?;
    assert_eq!(first, 0x10, "the first packet is CONNECT");
    let level = connect[6];
    taken.lock().unwrap().sign_ins.push(level);
    // Not authorized is 5 in 3.1.1 and 0x87 in 5.
    let code = if level == 5 && manners.connack == 5 { 0x87 } else { manners.connack };
    let connack: &[u8] = if level == 5 { &[0x20, 3, 0, code, 0] } else { &[0x20, 2, 0, code] };
    write.lock().await.write_all(connack).await.ok()?;
    if manners.connack != 0 {
        return None;
    }
    loop {
        let (first, rest) = packet(&mut read).await?;
        match first >> 4 {
            3 => {
                let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                let topic = String::from_utf8(rest[2..2 + length].to_vec()).unwrap();
                let is_acknowledged = first & 0b110 != 0;
                let after_topic = 2 + length;
                let mut body = &rest[after_topic + if is_acknowledged { 2 } else { 0 }..];
                if level == 5 {
                    // The tests' properties are shorter than 128 bytes.
                    body = &body[1 + usize::from(body[0])..];
                }
                let (hangs_up, loses) = {
                    let mut taken = taken.lock().unwrap();
                    taken.bodies.entry(topic.clone()).or_default().push(body.to_vec());
                    taken.publishes += 1;
                    let it_is_time = |every| every > 0 && taken.publishes.is_multiple_of(every);
                    (it_is_time(manners.hang_up_every), it_is_time(manners.lose_every))
                };
                if hangs_up {
                    return None;
                }
                if !loses {
                    relay(&subscribers, &topic, is_acknowledged, body).await;
                }
                if is_acknowledged {
                    let id = &rest[after_topic..after_topic + 2];
                    write.lock().await.write_all(&[0x40, 2, id[0], id[1]]).await.ok()?;
                }
            }
            8 => {
                let (mut at, mut suback) = (2, vec![rest[0], rest[1]]);
                // The tests' clients of version 5 subscribe to nothing, so there are no properties.
                while at < rest.len() {
                    let length = usize::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
                    let filter = String::from_utf8(rest[at + 2..at + 2 + length].to_vec()).unwrap();
                    subscribers.lock().await.entry(filter).or_default().push(Arc::clone(&write));
                    suback.push(1);
                    at += 2 + length + 1;
                }
                suback.splice(0..0, [0x90, suback.len() as u8]);
                write.lock().await.write_all(&suback).await.ok()?;
            }
            4 => {}
            _ => return None,
        }
    }
}

async fn relay(subscribers: &Subscribers, topic: &str, is_acknowledged: bool, body: &[u8]) {
    let subscribers: Vec<Writer> = {
        let by_filter = subscribers.lock().await;
        let matching = by_filter.iter().filter(|(filter, _)| matches(filter, topic));
        matching.flat_map(|(_, subscribers)| subscribers.iter().map(Arc::clone)).collect()
    };
    let id: &[u8] = if is_acknowledged { &[0, 1] } else { &[] };
    for subscriber in subscribers {
        let mut out = vec![if is_acknowledged { 0x32 } else { 0x30 }];
        let mut length = 2 + topic.len() + id.len() + body.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend((topic.len() as u16).to_be_bytes());
        out.extend(topic.as_bytes());
        out.extend(id);
        out.extend(body);
        // One that has gone away gets nothing.
        let _ = subscriber.lock().await.write_all(&out).await;
    }
}

/// Whether the topic is one of the filter's (4.7), as far as the tests use them.
fn matches(filter: &str, topic: &str) -> bool {
    if let Some(start) = filter.strip_suffix('#') {
        return topic.starts_with(start);
    }
    let (filter, topic) = (filter.split('/'), topic.split('/'));
    filter.clone().count() == topic.clone().count()
        && filter.zip(topic).all(|(filter, topic)| filter == "+" || filter == topic)
}

async fn packet(read: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = read.read_u8().await.ok()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = read.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut rest = vec![0; length];
    read.read_exact(&mut rest).await.ok()?;
    Some((first, rest))
}
