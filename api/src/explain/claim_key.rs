//! `GET /claim-keys/{claim_key}/explain`: why devices do not come in with a claim key, and who else tries.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{ClaimKeyId, Timestamp};
use serde::Serialize;
use store::{ClaimKey, ClaimRefusal, LastRefusal};
use utoipa::ToSchema;

use super::finding::{Code, Finding};
use super::words::{ago, counted};
use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::Problem;
use crate::scopes;

/// What is known of a claim key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClaimKeyExplanation {
    /// The claim key.
    #[schema(value_type = String, format = "uuid")]
    pub claim_key: ClaimKeyId,
    /// A name for people.
    pub name: String,
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// Whether a device of its kind may ask with it now.
    pub lets_in: bool,
    /// What was found, the most likely cause first.
    pub findings: Vec<Finding>,
}

impl ClaimKeyExplanation {
    /// Puts together what is known of a claim key.
    pub fn of(key: &ClaimKey, now: Timestamp) -> ClaimKeyExplanation {
        let over = key.refusal(key.kind, now).map(|why| over(key, why, now));
        let refused = key.last_refusal.as_ref().map(|last| refused(key, last, now));
        let lets_in = over.is_none();
        let mut findings: Vec<Finding> = over.into_iter().chain(refused).collect();
        if lets_in {
            findings.push(healthy(key));
        }
        ClaimKeyExplanation { claim_key: key.id, name: key.name.clone(), at: now.into(), lets_in, findings }
    }
}

/// Why nobody comes in with it any more.
fn over(key: &ClaimKey, why: ClaimRefusal, now: Timestamp) -> Finding {
    let (what, remedy) = match (why, key.revoked_at.or(key.expires_at)) {
        (ClaimRefusal::Revoked, Some(at)) => (
            format!("The claim key was taken back {}.", ago(at, now)),
            "Make another one for devices that are still to come in.",
        ),
        (ClaimRefusal::Expired, Some(at)) => (
            format!("The claim key ended {}.", ago(at, now)),
            "If more devices are to come in, give it a later `expires_at` with PATCH /api/v1/claim-keys/{claim_key}.",
        ),
        _ => (
            format!("As many devices came in with the claim key as may: {} of {}.", key.used, key.quota),
            "See whether all of them are yours; if more are to come in, raise `quota` with PATCH /api/v1/claim-keys/{claim_key}.",
        ),
    };
    Finding::problem(Code::ClaimKeyOver, what, remedy)
}

/// Whom it did not let in.
fn refused(key: &ClaimKey, last: &LastRefusal, now: Timestamp) -> Finding {
    const STOLEN: &str = "If that was none of your devices, somebody else has the key: take it back, and look at what came in with it.";
    const SEEN: &str = "A device that asks with this key is let in with a key or an account of this organization. If that was nobody of yours, somebody else sees the codes that your devices show.";
    let from = last.address.as_deref().unwrap_or("an address that is not known");
    let why = match last.why {
        ClaimRefusal::WrongOrganization => {
            "somebody of another organization looked for a device that asks with it".to_owned()
        }
        ClaimRefusal::WrongKind => format!("the device was no {}", key.kind),
        ClaimRefusal::Revoked => "it had been taken back".to_owned(),
        ClaimRefusal::Expired => "it had ended".to_owned(),
        ClaimRefusal::UsedUp | ClaimRefusal::Unknown => "as many had come in as may".to_owned(),
    };
    let what = format!(
        "The claim key was refused {}, the last time {} from {from}: {why}.",
        counted(key.refused, "time"),
        ago(last.at, now)
    );
    let remedy = if last.why == ClaimRefusal::WrongOrganization { SEEN } else { STOLEN };
    Finding::note(Code::ClaimKeyRefused, what, remedy)
}

fn healthy(key: &ClaimKey) -> Finding {
    let what = format!("Nothing keeps devices from asking with it; {} of {} came in.", key.used, key.quota);
    Finding::note(Code::Healthy, what, "Nothing needs to be done.")
}

/// Says why devices do not come in with a claim key, who was refused, and what to do.
#[utoipa::path(
    get,
    path = "/api/v1/claim-keys/{claim_key}/explain",
    operation_id = "explain_claim_key",
    tag = "claim_keys",
    summary = "Explain a claim key's state",
    security(("key" = ["devices:write"])),
    params(("claim_key" = String, Path, description = "The claim key's id")),
    responses((status = 200, description = "What is known and what to do", body = ClaimKeyExplanation))
)]
pub(crate) async fn explain_claim_key(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClaimKeyId>,
) -> Result<Json<ClaimKeyExplanation>, Problem> {
    let key = app.store.claim_key(caller.organization(), id).await?;
    Ok(Json(ClaimKeyExplanation::of(&key, app.clock.now())))
}

#[cfg(test)]
mod tests {
    use protocol::{DeviceKind, OrganizationId};
    use store::ClaimApproval;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp(1_772_452_800_000);

    fn key() -> ClaimKey {
        ClaimKey {
            id: ClaimKeyId::from_uuid(Uuid::nil()),
            organization: OrganizationId::from_uuid(Uuid::nil()),
            name: "Spring".into(),
            kind: DeviceKind::Gateway,
            venue: None,
            approval: ClaimApproval::Automatic,
            quota: 2,
            used: 1,
            refused: 0,
            last_refusal: None,
            created_at: NOW.minus(7_200_000),
            expires_at: Some(NOW.plus(3_600_000)),
            revoked_at: None,
        }
    }

    #[test]
    fn what_ended_a_key_comes_before_whom_it_refused() {
        let stolen = |why| {
            let address = Some("192.0.2.9".to_owned());
            let last_refusal = Some(LastRefusal { why, at: NOW.minus(180_000), address });
            ClaimKey { refused: 3, last_refusal, ..key() }
        };
        let past = Some(NOW.minus(180_000));
        for (key, codes, said) in [
            (key(), &["healthy"][..], "1 of 2 came in"),
            (ClaimKey { used: 2, ..key() }, &["claim_key_over"], "as may: 2 of 2"),
            (ClaimKey { expires_at: past, ..key() }, &["claim_key_over"], "ended 3 minutes ago"),
            (
                ClaimKey { revoked_at: past, ..stolen(ClaimRefusal::Revoked) },
                &["claim_key_over", "claim_key_refused"],
                "refused 3 times, the last time 3 minutes ago (2026-03-02T11:57:00Z) from 192.0.2.9: it had been taken back",
            ),
            (stolen(ClaimRefusal::WrongKind), &["claim_key_refused", "healthy"], "the device was no gateway"),
            (
                stolen(ClaimRefusal::WrongOrganization),
                &["claim_key_refused", "healthy"],
                "of another organization",
            ),
        ] {
            let explained = ClaimKeyExplanation::of(&key, NOW);
            let found: Vec<_> = explained.findings.iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found, codes);
            assert_eq!(explained.lets_in, codes[0] != "claim_key_over");
            assert!(
                explained.findings.iter().any(|finding| finding.what.contains(said)),
                "{:?}",
                explained.findings
            );
        }
    }
}
