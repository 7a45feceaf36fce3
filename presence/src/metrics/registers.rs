//! `HyperLogLog`: how many distinct values there were, from the longest run of zeros in each of many groups.
//!
//! Registers as in Flajolet, Fusy, Gandouet, Meunier, "`HyperLogLog`: the analysis of a near-optimal cardinality estimation
//! algorithm" (2007), with 64-bit values so that large counts need no correction; the estimate is the one of Ertl, "New
//! cardinality estimation algorithms for `HyperLogLog` sketches" (2017, arXiv:1702.01284, algorithm 6), which is unbiased from
//! none to very many. Registers hold nothing but maxima, so they are a pure function of the set that was put in.

use crate::snapshot::{Reader, SnapshotError, Writer};

/// Bits of a value that choose its register.
const PRECISION: u32 = 13;
/// Registers. The standard error of the estimate is 1.04 / sqrt(8192) = 1.15 %.
const COUNT: usize = 1 << PRECISION;
/// The highest rank: a value of zeros alone after the bits of its register.
const HIGHEST: u8 = (64 - PRECISION + 1) as u8;

/// The registers, each from 0 to [`HIGHEST`].
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Registers(Box<[u8]>);

impl Registers {
    pub(super) fn new() -> Self {
        Self(vec![0; COUNT].into_boxed_slice())
    }

    /// Takes in one value, whose bits have to be as good as random.
    pub(super) fn insert(&mut self, value: u64) {
        let register = (value >> (64 - PRECISION)) as usize;
        let rank = ((value << PRECISION).leading_zeros().min(64 - PRECISION) + 1) as u8;
        self.0[register] = self.0[register].max(rank);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How many distinct values went in, to the nearest.
    pub(super) fn estimate(&self) -> u64 {
        let mut of_rank = [0_u32; HIGHEST as usize + 1];
        for rank in &self.0 {
            of_rank[usize::from(*rank)] += 1;
        }
        let count = COUNT as f64;
        let mut z = count * tau(1.0 - f64::from(of_rank[usize::from(HIGHEST)]) / count);
        for rank in (1..HIGHEST).rev() {
            z = 0.5 * (z + f64::from(of_rank[usize::from(rank)]));
        }
        z += count * sigma(f64::from(of_rank[0]) / count);
        let alpha = 0.5 / std::f64::consts::LN_2;
        (alpha * count * count / z).round() as u64
    }

    /// Each register that is not zero: how many lie between it and the one before, and its rank.
    pub(super) fn write(&self, w: &mut Writer) {
        let used = self.0.iter().filter(|rank| **rank > 0).count();
        w.unsigned(used as u64);
        let mut gap = 0;
        for rank in &self.0 {
            if *rank == 0 {
                gap += 1;
            } else {
                w.unsigned(gap);
                w.byte(*rank);
                gap = 0;
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let mut registers = Self::new();
        let mut next = 0;
        for _ in 0..r.count()? {
            let register = usize::try_from(r.unsigned()?).ok().and_then(|gap| gap.checked_add(next));
            let rank = r.byte()?;
            let found = register.and_then(|register| Some((register, registers.0.get_mut(register)?)));
            let (register, slot) = found.ok_or(SnapshotError::Impossible("a register"))?;
            if rank == 0 || rank > HIGHEST {
                return Err(SnapshotError::Impossible("a rank"));
            }
            *slot = rank;
            next = register + 1;
        }
        Ok(registers)
    }
}

/// sigma(x) = x + sum of x^(2^k) 2^(k-1) over k from 1, Ertl's equation for registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// tau(x) = (1 - x - sum of (1 - x^(2^-k))^2 2^-k over k from 1) / 3, Ertl's equation for registers that are full.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use siphasher::sip::SipHasher13;

    use super::*;

    #[test]
    fn the_estimate_is_within_four_standard_errors() {
        let mut registers = Registers::new();
        let mut next = 0_u64;
        for count in [0, 1, 100, 257, 1_000, 5_000, 20_000, 100_000, 500_000_u64] {
            while next < count {
                registers.insert(SipHasher13::new().hash(&next.to_le_bytes()));
                next += 1;
            }
            let off = registers.estimate().abs_diff(count) as f64;
            assert!(off <= 0.046 * count as f64, "{count}: off by {off}");
        }
    }

    #[test]
    fn damaged_registers_are_refused() {
        let read = |write: &dyn Fn(&mut Writer)| {
            let mut w = Writer::default();
            write(&mut w);
            Registers::read(&mut Reader::new(&w.into_bytes())).map(|registers| registers.estimate())
        };
        let one = |gap: u64, rank: u8| {
            read(&move |w| {
                w.unsigned(1);
                w.unsigned(gap);
                w.byte(rank);
            })
        };
        assert_eq!(one(8_191, 52), one(0, 52));
        assert!(one(8_192, 1).is_err() && one(0, 0).is_err() && one(0, 53).is_err());
        assert!(one(u64::MAX, 1).is_err());
        assert!(read(&|w| w.unsigned(2)).is_err());
    }
}
