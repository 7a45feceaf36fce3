//! A code in a terminal: large, and as a QR code, two points above each other in one character.

use font8x8::{BASIC_FONTS, UnicodeFonts as _};
use qrcode::QrCode;
use qrcode::types::Color;

/// Points of white around a QR code (ISO/IEC 18004, section 9.1).
const QUIET: usize = 4;

/// Points of a letter, each way.
const LETTER: usize = 8;

/// The text in letters of eight points, for a terminal of its nine times eight columns and more; what is not ASCII is
/// blank.
pub(super) fn large(text: &str) -> String {
    let letters: Vec<[u8; LETTER]> =
        text.chars().map(|letter| BASIC_FONTS.get(letter).unwrap_or_default()).collect();
    let lines =
        halves(letters.len() * LETTER, LETTER, |x, y| letters[x / LETTER][y] >> (x % LETTER) & 1 == 1);
    lines.iter().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The text as a QR code, black on white whatever the colours of the terminal are (ECMA-48, section 8.3.117). Nothing
/// where it is too long for one.
pub(super) fn qr(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let (width, colours) = (code.width(), code.to_colors());
    let side = width + 2 * QUIET;
    let is_dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(QUIET), y.checked_sub(QUIET));
        matches!((x, y), (Some(x), Some(y)) if x < width && y < width && colours[y * width + x] == Color::Dark)
    };
    let lines = halves(side, side, is_dark);
    Some(lines.iter().fold(String::new(), |text, line| text + "\x1b[30;107m" + line + "\x1b[0m\n"))
}

/// Points as lines of half blocks.
fn halves(width: usize, height: usize, is_set: impl Fn(usize, usize) -> bool) -> Vec<String> {
    let half = |x, y| match (is_set(x, y), y + 1 < height && is_set(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    (0..height).step_by(2).map(|y| (0..width).map(|x| half(x, y)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_looks_like_itself() {
        assert_eq!(large("L"), "▀██▀\n ██\n ██  ▄█\n▀▀▀▀▀▀▀\n");
        assert_eq!(large("é"), "\n\n\n\n");
    }

    /// Reads the blocks back: the points are those of the code, with white around them.
    #[test]
    fn a_qr_code_is_black_on_white_with_a_margin() {
        const TEXT: &str = "https://id.example.org/enrol?user_code=BCDF-GHJK";
        let shown = qr(TEXT).unwrap();
        let code = QrCode::new(TEXT).unwrap();
        let side = code.width() + 2 * QUIET;
        let mut points = Vec::new();
        for line in shown.lines() {
            let line = line.strip_prefix("\x1b[30;107m").unwrap().strip_suffix("\x1b[0m").unwrap();
            assert_eq!(line.chars().count(), side);
            points.push(line.chars().map(|half| matches!(half, '█' | '▀')).collect::<Vec<_>>());
            points.push(line.chars().map(|half| matches!(half, '█' | '▄')).collect());
        }
        for (n, colour) in code.to_colors().into_iter().enumerate() {
            let (x, y) = (n % code.width() + QUIET, n / code.width() + QUIET);
            assert_eq!(points[y][x], colour == Color::Dark);
        }
        let dark = points.iter().flatten().filter(|point| **point).count();
        assert_eq!(dark, code.to_colors().iter().filter(|colour| **colour == Color::Dark).count());
        assert_eq!(qr(&"x".repeat(10_000)), None);
    }
}
