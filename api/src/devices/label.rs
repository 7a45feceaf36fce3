//! `GET /api/v1/devices/{device}/label.png`: what is stuck on a device, so that whoever stands before it knows which one it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts};
use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use protocol::DeviceId;
use qrcode::{Color, EcLevel, QrCode};

use crate::App;
use crate::caller::Caller;
use crate::path::Ids;
use crate::problem::Problem;
use crate::scopes;

/// Pixels of a module of the QR code.
const MODULE: usize = 8;
/// Modules around it that have to be white (ISO/IEC 18004).
const QUIET: usize = 4;
/// Pixels of a letter of the font, before it is enlarged.
const LETTER: usize = 8;
/// How much larger the name is.
const NAME_SCALE: usize = 2;
/// Lines of the name at most; what is longer is cut.
const NAME_LINES: usize = 3;
/// Pixels between two lines.
const GAP: usize = 4;
/// 300 dots to the inch: a label is 25 mm wide.
const PIXELS_PER_METRE: u32 = 11_811;

/// Draws the label of a device: its id as a QR code and in letters, and its name between them. It is 25 mm wide at 300 dpi. Letters
/// that the font lacks (it has Latin and Greek ones) are question marks.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/label.png",
    operation_id = "label",
    tag = "devices",
    summary = "Draw a device's label",
    security(("key" = ["devices:read"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The label", body = Vec<u8>, content_type = "image/png"))
)]
pub(crate) async fn label(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<Response, Problem> {
    let device = app.store.device(caller.organization(), device).await?;
    let png = draw(&device.id.to_string(), &device.name)?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

/// A sheet in black and white, a byte for each pixel.
struct Sheet {
    width: usize,
    pixels: Vec<u8>,
}

fn draw(id: &str, name: &str) -> Result<Vec<u8>, Problem> {
    // A label gets scratched: level M is read with 15 % of it gone.
    let code =
        QrCode::with_error_correction_level(id, EcLevel::M).map_err(|error| Problem::internal(&error))?;
    let modules = code.width();
    let width = (modules + 2 * QUIET) * MODULE;
    let lines = lines(name, width / (LETTER * NAME_SCALE));
    let name_height = LETTER * NAME_SCALE + GAP;
    // The quiet zone below the code is part of the label; so is a margin below the id.
    let height = width + lines.len() * name_height + LETTER + 4 * GAP;
    let mut sheet = Sheet { width, pixels: vec![0xff; width * height] };
    for (index, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (column, row) = (QUIET + index % modules, QUIET + index / modules);
            sheet.blacken(column * MODULE, row * MODULE, MODULE);
        }
    }
    let mut top = width;
    for line in &lines {
        sheet.write(line, top, NAME_SCALE);
        top += name_height;
    }
    sheet.write(id, top + GAP, 1);
    sheet.png().map_err(|error| Problem::internal(&error))
}

/// A name in lines of so many letters, broken between words where that is possible.
fn lines(name: &str, letters: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for word in name.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && line.len() + 1 + word.len() > letters {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.append(&mut word);
        while line.len() > letters {
            let rest = line.split_off(letters);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    if lines.len() > NAME_LINES {
        lines.truncate(NAME_LINES);
        if let Some(last) = lines.last_mut() {
            last.truncate(letters.saturating_sub(3));
            last.extend("...".chars());
        }
    }
    lines.into_iter().map(String::from_iter).collect()
}

impl Sheet {
    /// A line of text in the middle.
    fn write(&mut self, text: &str, top: usize, scale: usize) {
        let left = self.width.saturating_sub(text.chars().count() * LETTER * scale) / 2;
        for (index, letter) in text.chars().enumerate() {
            for (row, bits) in glyph(letter).into_iter().enumerate() {
                for column in (0..LETTER).filter(|column| bits >> column & 1 == 1) {
                    self.blacken(left + (index * LETTER + column) * scale, top + row * scale, scale);
                }
            }
        }
    }

    fn blacken(&mut self, left: usize, top: usize, side: usize) {
        for row in top..top + side {
            let begin = row * self.width + left;
            self.pixels[begin..begin + side].fill(0);
        }
    }

    fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let height = self.pixels.len() / self.width;
        let mut encoder = Encoder::new(&mut bytes, self.width as u32, height as u32);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        let (xppu, yppu, unit) = (PIXELS_PER_METRE, PIXELS_PER_METRE, Unit::Meter);
        encoder.set_pixel_dims(Some(PixelDimensions { xppu, yppu, unit }));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// The rows of a letter, its left edge in the lowest bit.
fn glyph(letter: char) -> [u8; 8] {
    let known =
        BASIC_FONTS.get(letter).or_else(|| LATIN_FONTS.get(letter)).or_else(|| GREEK_FONTS.get(letter));
    known.or_else(|| BASIC_FONTS.get('?')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_broken_between_words() {
        assert_eq!(lines("Door", 18), ["Door"]);
        assert_eq!(lines("Door at the back of the shop", 18), ["Door at the back", "of the shop"]);
        assert_eq!(
            lines("Donaudampfschifffahrtsgesellschaft", 18),
            ["Donaudampfschifffa", "hrtsgesellschaft"]
        );
        assert_eq!(lines(&"ab ".repeat(60), 18)[2], "ab ab ab ab ab ...");
        assert_eq!(lines("", 18), [""]);
    }

    #[test]
    fn every_name_is_drawn() {
        for name in ["", "Söller Ω", "店", &"W".repeat(200), "\u{202e}x"] {
            assert!(draw("01890a5d-ac96-774b-bcce-b302099a8057", name).is_ok(), "{name}");
        }
        assert_eq!(glyph('店'), glyph('?'));
        assert_ne!(glyph('ö'), glyph('?'));
    }
}
