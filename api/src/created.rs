//! The answer to what made something.

use axum::Json;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// 201 with the new thing and where it is.
pub(crate) struct Created<T> {
    location: String,
    thing: T,
}

impl<T> Created<T> {
    /// A new thing that can be read at a path.
    pub(crate) fn at(location: String, thing: T) -> Created<T> {
        Created { location, thing }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.thing)).into_response();
        // Paths of ids are always a header's value.
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
