//! The page: self-contained, without scripts, readable on a phone, in light and dark.

use std::fmt::{self, Write};

use protocol::Timestamp;
use serde_json::{Map, Value};

use super::{Sighting, Snapshot, Told};
use crate::{health, link};

/// Colours are the browser's own, so that they fit what its user likes.
const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta http-equiv=\"refresh\" content=\"5\"><meta name=\"color-scheme\" content=\"light dark\">\
    <title>promenade-agent</title><style>\
    body{font:16px/1.4 system-ui,sans-serif;margin:0 auto;max-width:40rem;padding:1rem}\
    h1{font-size:1.3rem}h2{font-size:1rem;margin:1.5rem 0 .3rem}\
    table{border-collapse:collapse;width:100%}td{border-top:1px solid #8884;padding:.3rem .5rem .3rem 0;\
    vertical-align:top;overflow-wrap:anywhere}td:first-child{color:GrayText;width:9rem}\
    .list td:first-child{color:inherit;width:auto}</style></head><body>";

/// The page of this moment.
pub(super) fn render(snapshot: &Snapshot) -> String {
    // A part that was not read yet is null.
    let health = snapshot.reported.get(health::PART).unwrap_or(&Value::Null);
    let mut page = Page(HEAD.to_owned());
    page.heading("h1", "promenade-agent");
    page.open("table");
    page.row("Device", &snapshot.device);
    page.row("Version", &snapshot.version);
    page.row("Platform", &connection(snapshot));
    if let Some(error) = &snapshot.link.last_error {
        page.row("Last error", error);
    }
    if let Some(validity) = certificate(&snapshot.reported, snapshot.now) {
        page.row("Certificate", &validity);
    }
    page.row("Adapter", &adapter(&health["adapter"]));
    page.row("Heard", &format_args!("{:.1} a second", snapshot.heard_per_s));
    page.row("Waiting", &format_args!("{} KB without a receipt", snapshot.spool_bytes.div_ceil(1024)));
    page.row("Clock", &clock(snapshot.now, health));
    page.health(health);
    page.close("table");
    page.heading("h2", "Heard last");
    page.list(snapshot.heard.iter().map(|sighting| seen(sighting, snapshot.now)));
    page.heading("h2", "Last commands");
    page.list(snapshot.commands.iter().map(told));
    page.0.push_str("</body></html>");
    page.0
}

fn connection(snapshot: &Snapshot) -> String {
    match snapshot.link.for_s {
        Some(seconds) => format!("connected for {}", time(seconds)),
        None => "not connected".to_owned(),
    }
}

/// How long its certificate holds, if it signs in with one.
fn certificate(reported: &Map<String, Value>, now: Timestamp) -> Option<String> {
    let part = reported.get(link::CERTIFICATE_PART)?;
    let left_ms = Timestamp(part["not_after"].as_i64()?).since(now);
    let mut text = match u64::try_from(left_ms) {
        Ok(left_ms) => format!("good for {}", time(left_ms / 1_000)),
        Err(_) => "over; let the device in anew".to_owned(),
    };
    if let Some(failure) = part["renewal"].as_str().filter(|renewal| *renewal != "ok") {
        text.push_str(", renewal: ");
        text.push_str(failure);
    }
    Some(text)
}

fn adapter(adapter: &Value) -> String {
    let (Some(state), name) = (adapter["state"].as_str(), adapter["name"].as_str()) else {
        return "none".to_owned();
    };
    format!("{} {state}", name.unwrap_or("none found,"))
}

fn clock(now: Timestamp, health: &Value) -> String {
    let known = if health["clock"]["known"] == false { ", which cannot be right" } else { "" };
    format!("{}{known}", hour(now))
}

fn seen(sighting: &Sighting, now: Timestamp) -> [String; 3] {
    let ago = u64::try_from(now.since(sighting.at) / 1_000).unwrap_or(0);
    [sighting.id.to_string(), format!("{} dBm", sighting.rssi), format!("{} ago", time(ago))]
}

fn told(told: &Told) -> [String; 3] {
    let name = told.name.clone().unwrap_or_default();
    [told.command.to_string(), name, [told.status, told.reason.as_deref().unwrap_or_default()].join(" ")]
}

/// A length of time in its largest unit.
fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A time of day in UTC: what the date is, `/status.json` says in milliseconds.
fn hour(at: Timestamp) -> String {
    let second = at.0.div_euclid(1_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

struct Page(String);

impl Page {
    fn open(&mut self, tag: &str) {
        self.0.extend(["<", tag, ">"]);
    }

    fn close(&mut self, tag: &str) {
        self.0.extend(["</", tag, ">"]);
    }

    fn heading(&mut self, tag: &str, text: &str) {
        self.open(tag);
        self.text(&text);
        self.close(tag);
    }

    fn row(&mut self, name: &str, value: &dyn fmt::Display) {
        self.open("tr");
        self.cell(&name);
        self.cell(value);
        self.close("tr");
    }

    fn cell(&mut self, value: &dyn fmt::Display) {
        self.open("td");
        self.text(value);
        self.close("td");
    }

    /// How the machine is, as far as it says.
    fn health(&mut self, health: &Value) {
        for (name, member, unit) in [
            ("Lost", "lost", "advertisements and pings"),
            ("Withheld", "withheld", "for want of a key"),
            ("Temperature", "temperature_c", "°C"),
            ("Processors", "cpu_percent", "%"),
            ("Memory", "memory_percent", "%"),
            ("Disk", "disk_percent", "%"),
        ] {
            if let Some(number) = health[member].as_i64() {
                self.row(name, &format_args!("{number} {unit}"));
            }
        }
    }

    fn list(&mut self, rows: impl Iterator<Item = [String; 3]>) {
        self.0.push_str("<table class=\"list\">");
        for row in rows {
            self.open("tr");
            for cell in &row {
                self.cell(cell);
            }
            self.close("tr");
        }
        self.close("table");
    }

    fn text(&mut self, value: &dyn fmt::Display) {
        // Writing to a text cannot fail.
        let _ = write!(Escaped(&mut self.0), "{value}");
    }
}

/// Text in HTML (HTML Living Standard, section 13.3).
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}
