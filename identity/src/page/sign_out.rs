//! Signing out of this browser.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::PageRefusal;
use crate::Identity;
use crate::browser::{Posted, redirect};

/// `POST /sign-out`.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    Ok(posted.visitor.sign_out(&identity, redirect("/sign-in")).await?)
}
