//! The loss ledger of a device: what was refused, so that exactly that can be sent again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{Boot, DeviceId, Reason};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// A run of batches of one boot that were refused for one cause. Where no number could be read there is neither boot nor
/// range, and the batches of one hour are counted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Loss {
    /// The boot; null where it could not be read.
    #[schema(value_type = Option<String>)]
    pub boot: Option<Boot>,
    /// The first number; null without a boot.
    pub from: Option<u64>,
    /// The last number; null without a boot.
    pub to: Option<u64>,
    /// Why, in the words of receipts.
    #[schema(value_type = String, example = "rate_limited:pings_per_minute")]
    pub cause: Reason,
    /// How many batches were refused.
    pub batches: u64,
    /// How many of them were accepted later.
    pub recovered: u64,
    /// Whether some may still be sent again, unchanged and under the same numbers.
    pub open: bool,
    /// When the first of them was refused.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Instant,
    /// When the last of them was.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Instant,
}

impl From<store::Loss> for Loss {
    fn from(loss: store::Loss) -> Loss {
        let open = loss.is_open();
        Loss {
            boot: loss.boot,
            from: loss.boot.map(|_| loss.from),
            to: loss.boot.map(|_| loss.to),
            cause: loss.cause,
            batches: loss.batches,
            recovered: loss.recovered,
            open,
            first_at: loss.first_at.into(),
            last_at: loss.last_at.into(),
        }
    }
}

/// Lists what was refused of a device, what began last first.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/losses",
    operation_id = "losses",
    tag = "devices",
    summary = "List what was refused of a device",
    security(("key" = ["devices:read"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of the ledger", body = Items<Loss>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    query: Query,
) -> Result<Json<Items<Loss>>, Problem> {
    let page = paging::only_page(query, List::Losses)?;
    app.store.device(caller.organization(), device).await?;
    let listed = app.store.losses(caller.organization(), device, page).await?;
    Ok(Json(Items::of(List::Losses, listed, Loss::from)))
}
