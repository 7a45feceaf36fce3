//! `POST /api/v1/devices/import`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use protocol::{DeviceId, DeviceKind};
use serde::Serialize;
use serde_json::json;
use store::{Change, ImportField, MAX_IMPORT, NewDevice};
use utoipa::ToSchema;

use super::COLUMNS;
use super::csv::{self, Row};
use crate::App;
use crate::audit::{self, What};
use crate::body;
use crate::caller::Caller;
use crate::fields;
use crate::problem::{Kind, Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// The route.
pub(crate) const PATH: &str = "/api/v1/devices/import";
/// The largest table in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// Mistakes that one answer lists.
const MOST_MISTAKES: usize = 100;

/// What an import made, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Imported {
    /// Whether nothing was made, since only that was asked whether it could be.
    dry_run: bool,
    /// The devices in the order of the table.
    items: Vec<ImportedDevice>,
}

/// A device of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportedDevice {
    /// The line of the table that it is in, counted from 1.
    line: usize,
    name: String,
    /// The device; null in a dry run.
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<DeviceId>,
    /// The password it signs in with. It is shown here once; a dry run and a repeated answer have null.
    secret: Option<String>,
}

/// A table as it came.
pub(crate) struct Table(String);

impl FromRequest<Arc<App>> for Table {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Table, Problem> {
        if !body::media_type(request.headers()).eq_ignore_ascii_case("text/csv") {
            let detail = "the body must be `Content-Type: text/csv`";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let bytes = body::read_up_to(MAX_BYTES, request, app).await?;
        let text = String::from_utf8(bytes.into()).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + String::from_utf8_lossy(before).matches('\n').count();
            Problem::invalid_body(vec![Mistake::line(line, "is not UTF-8")])
        })?;
        Ok(Table(text))
    }
}

/// Makes a device of each row, all of them or, with a mistake in any, none. The first row names the columns: `name` and `kind`, and
/// `venue`, `zone` (ids), `x`, `y`, `z` (metres) and `identifier` as needed. At most 1,000 rows and 256 KiB. A mistake has the `line`
/// and the `column` that it is in.
#[utoipa::path(
    post,
    path = "/api/v1/devices/import",
    tag = "devices",
    summary = "Import devices from CSV",
    security(("key" = ["devices:write"])),
    params(("dry_run" = Option<bool>, Query, description = "`true`: only says whether the table is right; `false` unless given")),
    request_body(content = String, content_type = "text/csv", description = "The table (RFC 4180) in UTF-8"),
    responses((status = 200, description = "The devices and their secrets", body = Imported))
)]
pub(crate) async fn import(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    mut query: Query,
    Table(text): Table,
) -> Result<Json<Imported>, Problem> {
    let dry_run = query.optional("dry_run", |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    });
    query.finish()?;
    let dry_run = dry_run.unwrap_or(false);
    let (rows, new) = read(&text)?;
    let organization = caller.organization();
    let made = app.store.import_devices(organization, &new, dry_run, app.clock.now()).await?;
    let made = made.map_err(|faults| {
        refusal(faults.into_iter().map(|fault| {
            let column = match fault.what {
                // Whether it is the venue or the zone the words say.
                ImportField::Place if new[fault.row].zone.is_some() => "zone",
                what => what.as_str(),
            };
            Mistake::cell(rows[fault.row].line, column, fault.why)
        }))
    })?;
    for device in &made {
        app.live.changed(Change::Device(device.id));
    }
    let venues: BTreeSet<_> = made.iter().filter_map(|device| device.venue).collect();
    for venue in venues {
        app.live.changed(Change::Venue(venue));
    }
    if !dry_run {
        audit::record(&app, &caller, What::DevicesImported, caller.account(), json!({"devices": made.len()}))
            .await;
    }
    let mut made = made.into_iter();
    let items = rows.iter().zip(new).map(|(row, device)| {
        let (id, secret) = made.next().map(|made| (made.id, made.secret.text())).unzip();
        ImportedDevice { line: row.line, name: device.name, id, secret }
    });
    Ok(Json(Imported { dry_run, items: items.collect() }))
}

fn refusal(mistakes: impl Iterator<Item = Mistake>) -> Problem {
    Problem::invalid_body(mistakes.take(MOST_MISTAKES).collect())
}

/// The rows of a table without the first, and what they say; or everything that is wrong with them.
fn read(text: &str) -> Result<(Vec<Row>, Vec<NewDevice>), Problem> {
    let broken = |broken: csv::Broken| refusal([Mistake::line(broken.line, broken.why)].into_iter());
    let mut rows = csv::read(text, MAX_IMPORT + 1).map_err(broken)?;
    if rows.len() < 2 {
        let detail = "needs a row with the names of the columns, and a row for each device";
        return Err(refusal([Mistake::line(1, detail)].into_iter()));
    }
    let columns = rows.remove(0);
    let mut mistakes = Vec::new();
    for (index, name) in columns.cells.iter().enumerate() {
        if !COLUMNS.contains(&name.as_str()) {
            let known = COLUMNS.join(", ");
            mistakes.push(Mistake::cell(
                columns.line,
                name,
                format!("is not a column here; those are {known}"),
            ));
        } else if columns.cells[..index].contains(name) {
            mistakes.push(Mistake::cell(columns.line, name, "is there twice"));
        }
    }
    for needed in ["name", "kind"] {
        if !columns.cells.iter().any(|name| name == needed) {
            mistakes.push(Mistake::cell(columns.line, needed, "is missing"));
        }
    }
    if !mistakes.is_empty() {
        return Err(refusal(mistakes.into_iter()));
    }
    let mut new = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.cells.len() == columns.cells.len() {
            new.extend(device(&columns.cells, row, &mut mistakes));
        } else {
            let detail = format!("has {} cells and not {}", row.cells.len(), columns.cells.len());
            mistakes.push(Mistake::line(row.line, detail));
        }
    }
    if mistakes.is_empty() { Ok((rows, new)) } else { Err(refusal(mistakes.into_iter())) }
}

/// What a row says; none, and why, when something in it is wrong.
fn device(columns: &[String], row: &Row, mistakes: &mut Vec<Mistake>) -> Option<NewDevice> {
    let cell = |name: &str| {
        let index = columns.iter().position(|column| column == name)?;
        Some(row.cells[index].trim()).filter(|text| !text.is_empty())
    };
    let before = mistakes.len();
    let mut check = |column: &str, why: String| mistakes.push(Mistake::cell(row.line, column, why));
    let name = fields::name(cell("name").unwrap_or_default().to_owned());
    let name = name.map_err(|why| check("name", why)).ok();
    let kind: Result<DeviceKind, _> = cell("kind").unwrap_or_default().parse();
    let kind = kind.map_err(|error| check("kind", error.to_string())).ok();
    let mut new = NewDevice::new(kind.unwrap_or(DeviceKind::Tag), name.unwrap_or_default());
    if let Some(text) = cell("venue") {
        new.venue = text.parse().map_err(|error: protocol::IdError| check("venue", error.to_string())).ok();
    }
    if let Some(text) = cell("zone") {
        new.zone = text.parse().map_err(|error: protocol::IdError| check("zone", error.to_string())).ok();
    }
    if let Some(text) = cell("identifier") {
        new.identifier = super::super::identifier(text).map_err(|why| check("identifier", why)).ok();
    }
    let mut metres = ["x", "y", "z"].map(|axis| {
        let text = cell(axis)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            check(axis, "must be a number of metres".to_owned());
        }
        Some(number.unwrap_or_default())
    });
    // Without a height it is on the floor.
    if let [Some(_), Some(_), height] = &mut metres {
        height.get_or_insert(0.0);
    }
    new.position = match metres {
        [Some(x), Some(y), Some(z)] => Some([x, y, z]),
        [None, None, None] => None,
        _ => {
            check("x", "a position needs both x and y".to_owned());
            None
        }
    };
    if new.position.is_some() && cell("venue").is_none() && cell("zone").is_none() {
        check("x", "a position needs a venue".to_owned());
    }
    (mistakes.len() == before).then_some(new)
}
