//! Identifier to text, into a buffer on the stack.

use super::Identifier;
use crate::hex;

pub(super) fn print<'a>(identifier: &Identifier, buf: &'a mut [u8; Identifier::MAX_LEN]) -> &'a str {
    let mut line = Line { buf, len: 0 };
    match identifier {
        Identifier::IBeacon { uuid, major, minor } => {
            line.put(b"ibeacon:");
            for (index, group) in
                [&uuid[..4], &uuid[4..6], &uuid[6..8], &uuid[8..10], &uuid[10..]].iter().enumerate()
            {
                line.put(if index == 0 { b"" } else { b"-" });
                line.hex(group);
            }
            line.put(b":");
            line.decimal(*major);
            line.put(b":");
            line.decimal(*minor);
        }
        Identifier::Eddystone { namespace, instance } => {
            line.put(b"eddystone:");
            line.hex(namespace);
            line.put(b":");
            line.hex(instance);
        }
        Identifier::Eid(eid) => {
            line.put(b"eid:");
            line.hex(eid);
        }
        Identifier::AltBeacon(id) => {
            line.put(b"altbeacon:");
            line.hex(id);
        }
        Identifier::Ble { address, random } => {
            line.put(if *random { b"ble:~" } else { b"ble:" });
            for (index, byte) in address.iter().enumerate() {
                line.put(if index == 0 { b"" } else { b":" });
                line.hex(&[*byte]);
            }
        }
        Identifier::App(opaque) => {
            line.put(b"app:");
            // The variant can be built by hand, so a text that would never parse must not overflow the buffer either.
            line.put(opaque.as_bytes().get(..Identifier::MAX_APP_LEN).unwrap_or(opaque.as_bytes()));
        }
    }
    let Line { buf, len } = line;
    str::from_utf8(&buf[..len]).unwrap_or_default()
}

struct Line<'a> {
    buf: &'a mut [u8; Identifier::MAX_LEN],
    len: usize,
}

impl Line<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.buf[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn hex(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.put(&hex::digits(byte));
        }
    }

    fn decimal(&mut self, mut number: u16) {
        let mut digits = [0; 5];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.put(&digits[start..]);
    }
}
