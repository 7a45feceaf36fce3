//! Hexadecimal by table: identifiers are parsed for every ping.

const INVALID: u8 = 0xff;
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// The value of each byte read as a hexadecimal digit of either case, `INVALID` for every other byte.
const VALUES: [u8; 256] = {
    let mut values = [INVALID; 256];
    let mut digit = 0;
    while digit < 16 {
        values[LOWER[digit] as usize] = digit as u8;
        values[LOWER[digit].to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// Fills `out` from exactly `2 * out.len()` digits; `false` if there is another number of them or one is no digit.
pub(crate) fn parse(digits: &[u8], out: &mut [u8]) -> bool {
    if digits.len() != 2 * out.len() {
        return false;
    }
    // Every invalid digit sets the high nibble of its value, so one test after the loop replaces one per digit.
    let mut seen = 0;
    for (pair, byte) in digits.as_chunks::<2>().0.iter().zip(out) {
        let [high, low] = pair.map(|digit| VALUES[usize::from(digit)]);
        seen |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    seen & 0xf0 == 0
}

/// The two lowercase digits of a byte.
pub(crate) const fn digits(byte: u8) -> [u8; 2] {
    [LOWER[(byte >> 4) as usize], LOWER[(byte & 0x0f) as usize]]
}
