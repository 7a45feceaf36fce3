//! From an input to what several clients do.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::client::{self, Hello, Received, Wire};
use super::ground::{Field, Ground, Person};
use super::oracle::{self, Known, Terms, UnderWay};
use crate::access::Identity;
use crate::codec::reason;

/// How long the answer to a CONNECT may take; only services wait for another thread.
const PATIENCE: Duration = Duration::from_secs(5);
const SEATS: usize = 4;
const NAMES: [&str; 2] = ["x", "y"];
/// More than this is not played: long inputs find nothing that short ones do not.
const STEPS: usize = 64;

/// Plays an input to its end.
pub(super) async fn play(ground: &Ground, data: &[u8]) {
    let mut stage = Stage {
        people: &ground.people,
        field: ground.field(),
        seats: Default::default(),
        known: HashMap::new(),
        number: 0,
        never: BTreeSet::new(),
        clock_s: 0,
    };
    let mut data = Data(data);
    for _ in 0..STEPS {
        let Some(step) = data.next() else { break };
        stage.step(step & 0x7F, &mut data).await;
        if step & 0x80 == 0 {
            stage.look().await;
        }
    }
    stage.look().await;
    stage.seats = Default::default();
    stage.check_that_it_works().await;
    stage.seats = Default::default();
    stage.field.clear().await;
}

struct Data<'a>(&'a [u8]);

impl Data<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct Stage<'a> {
    people: &'a [Person],
    field: Field,
    seats: [Option<Seat>; SEATS],
    known: HashMap<(usize, usize), Known>,
    number: u16,
    /// Messages that nobody may get.
    never: BTreeSet<u16>,
    clock_s: i64,
}

/// A client with its connection.
struct Seat {
    wire: Wire,
    five: bool,
    person: usize,
    name: usize,
    terms: Terms,
    under_way: UnderWay,
    /// Answers that are due: the first byte and the packet id.
    due: VecDeque<(u8, u16)>,
    asked: HashMap<u16, String>,
    next_id: u16,
    is_welcome: bool,
}

impl Stage<'_> {
    async fn step(&mut self, step: u8, data: &mut Data<'_>) {
        let seat = usize::from(step >> 4) % SEATS;
        if step.is_multiple_of(16) || self.seats[seat].is_none() {
            return self.connect(seat, data).await;
        }
        let (people, number) = (self.people, self.number);
        let Some(client) = &mut self.seats[seat] else { return };
        match step % 16 {
            1..=3 => {
                self.number += 1;
                let (bytes, exactly_once) = client.publish(people, number, data);
                let known = self.known.entry((client.person, client.name)).or_default();
                // Under an id that the server holds it is the same message again (section 4.3.3).
                if !known.is_wild && exactly_once.is_some_and(|id| known.held.contains(&id)) {
                    self.never.insert(number);
                }
                client.wire.write(&bytes).await;
            }
            4 | 5 => {
                let (filter, options) = (filters(&people[client.person], data.byte()), data.byte() & 0x3F);
                let key = (client.person, client.name);
                self.known.entry(key).or_default().filters.push(filter.clone());
                let bytes = client.subscribe(&filter, options);
                client.wire.write(&bytes).await;
            }
            6 => {
                let filter = filters(&people[client.person], data.byte());
                client.next_id += 1;
                let bytes = client::subscription(client.five, client.next_id, &filter, None);
                client.wire.write(&bytes).await;
            }
            7..=9 => {
                let known = self.known.entry((client.person, client.name)).or_default();
                client.answer(known, data.byte()).await;
            }
            10 => {
                let kind = [0x40, 0x50, 0x62, 0x70][usize::from(data.byte() % 4)];
                let known = self.known.entry((client.person, client.name)).or_default();
                client.acknowledge(known, kind, u16::from(data.byte() % 6)).await;
            }
            11 => {
                let count = usize::from(data.byte() % 24);
                client.under_way.is_wild = true;
                let key = (client.person, client.name);
                self.known.entry(key).or_default().is_wild = true;
                // No message may claim to be somebody else's.
                let bytes: Vec<u8> =
                    data.take(count).iter().map(|&byte| if byte == b'#' { b'+' } else { byte }).collect();
                client.wire.write(&bytes).await;
            }
            12 => client.wire.write(&[0xC0, 0]).await,
            13 => {
                let with_will = client.five && data.byte() & 1 == 1;
                let bytes: &[u8] = if with_will { &[0xE0, 1, 4] } else { &[0xE0, 0] };
                client.wire.write(bytes).await;
            }
            14 => self.seats[seat] = None,
            _ => self.pass_time(),
        }
    }

    /// Whatever went on, a message of a stranger still reaches another.
    async fn check_that_it_works(&mut self) {
        self.field.front.sessions.close_all(reason::SERVER_SHUTTING_DOWN);
        self.field.settle().await;
        // What waits for those who are away may use up the budget.
        self.field.front.sessions.forget_all();
        for (seat, script) in [(0, [0, 1, 3]), (1, [20, 1, 3])] {
            self.connect(seat, &mut Data(&script)).await;
        }
        self.step(4, &mut Data(&[1, 1])).await;
        let until = Instant::now() + PATIENCE;
        while self.seats[0].as_ref().is_some_and(|seat| !seat.asked.is_empty()) {
            // It waits for what is on its way over the bus, on another thread.
            assert!(Instant::now() < until, "no answer to a SUBSCRIBE");
            self.look().await;
            yield_now().await;
        }
        let number = self.number;
        self.step(0x11, &mut Data(&[0, 1, 0])).await;
        while !self.known.get(&(0, 0)).is_some_and(|known| known.has(number)) {
            assert!(Instant::now() < until, "a message does not arrive any more");
            self.look().await;
            yield_now().await;
        }
    }

    /// Half a minute goes by.
    fn pass_time(&mut self) {
        self.clock_s += 30;
        self.field.set_clock(self.clock_s);
        let front = &self.field.front;
        front.sessions.upkeep();
        front.dispatch.retained.sweep(front.clock.now());
    }

    async fn connect(&mut self, place: usize, data: &mut Data<'_>) {
        self.seats[place] = None;
        let (who, how, more) = (data.byte(), data.byte(), data.byte());
        let person = usize::from(who) % self.people.len();
        let name = usize::from(who >> 4) % NAMES.len();
        let me = &self.people[person];
        let five = how & 1 == 1;
        let expiry_s = if how & 4 == 0 { 0 } else { 60 };
        let hello = Hello {
            five,
            clean: how & 2 == 0,
            client_id: NAMES[name],
            user_name: me.user_name.as_deref(),
            password: me.password.as_deref(),
            will: (how & 8 != 0).then_some(("a/will", how >> 4 & 1)),
            expiry_s,
            receive_maximum: u16::from(more & 3) + 1,
            aliases: u16::from(more >> 2 & 3),
            largest: if more & 0x10 == 0 { 4096 } else { 128 },
        };
        let mut wire = Wire::new(self.field.open());
        wire.write(&hello.bytes()).await;
        let may_be_kept = if five { expiry_s > 0 } else { !hello.clean };
        let is_device = matches!(me.identity, Identity::Device(_));
        let known = self.known.entry((person, name)).or_default();
        let may_go_on = known.durable && !hello.clean;
        let terms = Terms {
            receive_maximum: if five { usize::from(hello.receive_maximum) } else { usize::MAX },
            aliases: if five { hello.aliases } else { 0 },
            largest: if five { hello.largest as usize } else { usize::MAX },
            may_come_in: !is_device || hello.will.is_none(),
            may_go_on,
        };
        if terms.may_come_in {
            known.durable = may_be_kept || may_go_on;
        }
        for other in self.seats.iter_mut().flatten().filter(|it| (it.person, it.name) == (person, name)) {
            other.under_way.is_old = true;
        }
        self.seats[place] = Some(Seat {
            wire,
            five,
            person,
            name,
            terms,
            under_way: UnderWay::default(),
            due: VecDeque::new(),
            asked: HashMap::new(),
            next_id: 100,
            is_welcome: false,
        });
        let until = Instant::now() + PATIENCE;
        while self.seats[place].as_ref().is_some_and(|seat| !seat.is_welcome) {
            assert!(Instant::now() < until, "no answer to a CONNECT");
            self.look().await;
            yield_now().await;
        }
    }

    /// Lets the server work, and looks at what came.
    async fn look(&mut self) {
        self.field.settle().await;
        for place in &mut self.seats {
            let Some(seat) = place else { continue };
            let (received, ended) = seat.wire.take(seat.five).await;
            let known = self.known.entry((seat.person, seat.name)).or_default();
            for (packet, len) in &received {
                seat.take(self.people, known, &self.never, packet, *len);
            }
            if ended {
                *place = None;
            }
        }
        let (sessions, bytes) = (self.field.front.sessions.len(), self.field.front.sessions.waiting_bytes());
        // One beside those that are connected.
        assert!(sessions <= self.people.len() + SEATS, "{sessions} sessions");
        let budget = self.field.front.config.queues.organization_bytes;
        assert!(bytes <= 3 * budget, "{bytes} bytes wait in queues");
    }
}

impl Seat {
    fn publish(&mut self, people: &[Person], number: u16, data: &mut Data<'_>) -> (Vec<u8>, Option<u16>) {
        let (topic, how, more) = (data.byte(), data.byte(), data.byte());
        let qos = [0, 1, 2, 1][usize::from(how & 3)];
        let mut flags = qos << 1 | (how >> 2 & 1);
        if how & 0x40 != 0 && qos > 0 {
            flags |= 8;
        }
        let mut properties = Vec::new();
        if how & 0x08 != 0 {
            properties.extend([0x02, 0, 0, 0, 20]);
        }
        let mut topic = topics(&people[self.person], topic);
        if how & 0x10 != 0 {
            properties.extend([0x23, 0, more & 3]);
            if how & 0x20 != 0 {
                topic = String::new();
            }
        }
        let pad = if more & 0x80 == 0 { 0 } else { usize::from(more & 0x7F) * 8 };
        let payload = if more == 0x7F { Vec::new() } else { oracle::payload(self.person as u8, number, pad) };
        let id = if qos == 2 {
            u16::from(more >> 2 & 3) + 1
        } else {
            self.next_id += 1;
            self.next_id
        };
        let bytes = client::publish(flags, &topic, id, self.five.then_some(&properties), &payload);
        (bytes, (qos == 2).then_some(id))
    }

    fn subscribe(&mut self, filter: &str, options: u8) -> Vec<u8> {
        self.next_id += 1;
        self.asked.insert(self.next_id, filter.to_owned());
        let options = if self.five { options } else { options & 3 };
        client::subscription(self.five, self.next_id, filter, Some(options))
    }

    /// Gives one of the answers that are due.
    async fn answer(&mut self, known: &mut Known, which: u8) {
        if self.due.is_empty() {
            return;
        }
        let index = usize::from(which) % self.due.len();
        if let Some((kind, id)) = self.due.remove(index) {
            self.acknowledge(known, kind, id).await;
        }
    }

    async fn acknowledge(&mut self, known: &mut Known, kind: u8, id: u16) {
        if kind == 0x62 {
            known.held.remove(&id);
        }
        if kind == 0x40 || kind == 0x70 {
            self.under_way.ids.remove(&id);
        }
        self.wire.write(&client::ack(kind, id)).await;
    }

    fn take(
        &mut self,
        people: &[Person],
        known: &mut Known,
        never: &BTreeSet<u16>,
        packet: &Received,
        len: usize,
    ) {
        match packet {
            Received::Connack { code, present } => {
                assert!(!self.is_welcome, "a second CONNACK");
                assert_eq!(*code == 0, self.terms.may_come_in, "CONNACK {code:#04x}");
                assert!(!present || self.terms.may_go_on, "a session that was over goes on");
                self.is_welcome = true;
                if !present {
                    known.begin_anew();
                }
            }
            _ => assert!(self.is_welcome, "{packet:?} before the CONNACK"),
        }
        match packet {
            Received::Publish(delivery) => {
                let terms = &self.terms;
                let under_way = &mut self.under_way;
                oracle::check(people, self.person, terms, under_way, known, never, (delivery, len));
                match delivery.qos {
                    0 => {}
                    1 => self.due.push_back((0x40, delivery.id)),
                    _ => self.due.push_back((0x50, delivery.id)),
                }
            }
            Received::Ack { kind: 5, id, code } if *code < 0x80 => {
                if !self.under_way.is_old {
                    known.held.insert(*id);
                }
                self.due.push_back((0x62, *id));
            }
            // A refusal frees the packet id, whatever was under it (section 4.3.3).
            Received::Ack { kind: 5 | 7, id, .. } => _ = known.held.remove(id),
            Received::Ack { kind: 6, id, .. } => self.due.push_back((0x70, *id)),
            Received::Suback { id, codes } => {
                if let Some(filter) = self.asked.remove(id) {
                    let granted = codes.iter().all(|code| *code < 0x80);
                    let me = &people[self.person];
                    let is_right = oracle::may_subscribe(me, &filter) || self.under_way.is_wild;
                    assert!(!granted || is_right, "{filter} was granted");
                }
            }
            _ => {}
        }
    }
}

impl Field {
    fn set_clock(&self, seconds: i64) {
        if let store::Clock::Manual(hand) = &self.front.clock {
            let at = super::ground::NOW.plus(seconds * 1000);
            hand.store(at.0, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

fn filters(me: &Person, which: u8) -> String {
    let own = own(me);
    let all = [
        "a/+",
        "a/b",
        "a/#",
        "b/#",
        "#",
        "b/secret/x",
        "+/b",
        "$share/g/a/#",
        "$share/g/+/b",
        "$SYS/#",
        "a//",
        "+/+/receipts",
        "v1/#",
    ];
    match usize::from(which) % (all.len() + 3) {
        13 => format!("{own}/#"),
        14 => format!("{own}/devices/+/status"),
        15 => format!("$share/g/{own}/devices/#"),
        plain => all[plain].to_owned(),
    }
}

fn topics(me: &Person, which: u8) -> String {
    let own = own(me);
    let all = ["a/b", "a/x", "a/", "b/y", "b/secret/x", "$SYS/x", "$share/g/a/b", "c", "a/+"];
    match usize::from(which) % (all.len() + 3) {
        9 => format!("{own}/pings"),
        10 => format!("{own}/receipts"),
        11 => format!("{own}/devices/x/status"),
        plain => all[plain].to_owned(),
    }
}

/// The beginning of somebody's own platform topics.
fn own(me: &Person) -> String {
    match me.identity {
        Identity::Device(device) => format!("v1/{device}"),
        _ => format!("v1/organizations/{}", me.organization),
    }
}
