//! A gateway as the platform sees it: what it heard, gathered per identifier and second, in numbered batches.

use protocol::{Batch, Boot, Identifier, Ping, Timestamp};

/// Gathers what one receiver hears.
#[derive(Debug)]
pub(crate) struct Gateway {
    boot: Boot,
    next_seq: u64,
    heard: Vec<Heard>,
}

/// One advertisement as it was received.
#[derive(Clone, Copy, Debug)]
struct Heard {
    second: i64,
    who: Heading,
    at: Timestamp,
    rssi: i8,
}

/// The number of a transmitter in a table of identifiers, and which of its identifiers it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heading {
    /// The transmitter.
    pub transmitter: u32,
    /// Its identifier at that time; 0 for all that never change.
    pub rotation: u32,
}

impl Gateway {
    /// A gateway that has just started.
    pub(crate) fn new(boot: Boot) -> Self {
        Self { boot, next_seq: 0, heard: Vec::new() }
    }

    /// Hears one advertisement. `at` is on the gateway's own clock.
    pub(crate) fn hear(&mut self, who: Heading, at: Timestamp, rssi: i8) {
        self.heard.push(Heard { second: at.second(), who, at, rssi });
    }

    /// Everything heard so far as batches, each of at most `protocol::MAX_PINGS` pings; none when nothing was heard. Within
    /// a batch pings are sorted by second and transmitter, so that equal input gives equal bytes.
    pub(crate) fn flush<'a>(&mut self, name: impl Fn(Heading) -> &'a Identifier) -> Vec<Batch> {
        let mut heard = std::mem::take(&mut self.heard);
        heard.sort_by_key(|it| (it.second, it.who, it.at));
        let pings: Vec<Ping> = heard
            .chunk_by(|a, b| (a.second, a.who) == (b.second, b.who))
            .map(|same| gather(name(same[0].who).clone(), same))
            .collect();
        heard.clear();
        self.heard = heard;
        pings.chunks(protocol::MAX_PINGS).map(|pings| self.number(pings.to_vec())).collect()
    }

    fn number(&mut self, pings: Vec<Ping>) -> Batch {
        let seq = self.next_seq;
        self.next_seq += 1;
        Batch { boot: self.boot, seq, first: None, sent: None, pings }
    }
}

/// One ping for all advertisements of one identifier in one second: the median strength, the strongest, how many, and the
/// time of the first. Of an even number the stronger of the middle two is taken, because what stands in the way can only
/// weaken an advertisement.
fn gather(id: Identifier, same: &[Heard]) -> Ping {
    let mut strengths: Vec<i8> = same.iter().map(|it| it.rssi).collect();
    strengths.sort_unstable();
    let median = strengths[strengths.len() / 2];
    let count = strengths.len().min(usize::from(u16::MAX)) as u16;
    Ping { id, rssi: median, at: same[0].at, tx: None, max: strengths.last().copied(), n: Some(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(transmitter: u32) -> Heading {
        Heading { transmitter, rotation: 0 }
    }

    #[test]
    fn a_second_becomes_one_ping_of_each_identifier() {
        let names: [Identifier; 2] = ["app:a".parse().unwrap(), "app:b".parse().unwrap()];
        let mut gateway = Gateway::new("b1".parse().unwrap());
        for (transmitter, at, rssi) in [
            (1, 10_100, -70),
            (0, 10_050, -61),
            (0, 10_900, -65),
            (0, 10_400, -63),
            (0, 11_000, -80),
            (0, 11_001, -90),
        ] {
            gateway.hear(who(transmitter), Timestamp(at), rssi);
        }
        let batches = gateway.flush(|who| &names[who.transmitter as usize]);
        assert_eq!(batches.len(), 1);
        let pings: Vec<_> =
            batches[0].pings.iter().map(|p| (p.id.to_string(), p.at.0, p.rssi, p.max, p.n)).collect();
        let expected = [
            ("app:a".to_owned(), 10_050, -63, Some(-61), Some(3)),
            ("app:b".to_owned(), 10_100, -70, Some(-70), Some(1)),
            ("app:a".to_owned(), 11_000, -80, Some(-80), Some(2)),
        ];
        assert_eq!(pings, expected);
        assert!(gateway.flush(|who| &names[who.transmitter as usize]).is_empty());
    }

    #[test]
    fn batches_are_numbered_and_never_too_large() {
        let name: Identifier = "app:a".parse().unwrap();
        let mut gateway = Gateway::new("b1".parse().unwrap());
        for second in 0..2_001 {
            gateway.hear(who(0), Timestamp(second * 1_000), -60);
        }
        let sizes: Vec<_> = gateway.flush(|_| &name).iter().map(|b| (b.seq, b.pings.len())).collect();
        assert_eq!(sizes, [(0, 1_000), (1, 1_000), (2, 1)]);
        gateway.hear(who(0), Timestamp(0), -60);
        assert_eq!(gateway.flush(|_| &name)[0].seq, 3);
    }
}
