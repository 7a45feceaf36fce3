//! How operations may refuse: the statuses that follow from what an operation takes, so that none is forgotten.

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Adds every status that the operation may refuse a request with.
pub(super) fn add(operation: &mut Operation, is_write: bool) {
    let takes = |place: &ParameterIn| {
        let parameters = operation.parameters.as_deref().unwrap_or_default();
        parameters
            .iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == *place))
    };
    let mut statuses = vec![("503", "The server, or its database, cannot answer now")];
    if operation.security.is_some() {
        statuses.push(("401", "Not signed in"));
        statuses.push(("403", "The scope is missing"));
    }
    if takes(&ParameterIn::Path) || takes(&ParameterIn::Query) || operation.request_body.is_some() {
        statuses.push(("404", "There is no such thing in the organization"));
    }
    if is_write
        || takes(&ParameterIn::Query)
        || operation.request_body.is_some()
        || !takes(&ParameterIn::Path)
    {
        statuses.push(("400", "The query, a header or the body cannot be read"));
    }
    if is_write {
        statuses.push(("409", "It conflicts with what is there, or with a request that is being worked on"));
        statuses.push(("422", "The body, or a repeat of an `Idempotency-Key`, cannot be accepted as it is"));
        // A key makes the body part of what is remembered, also where none is needed.
        statuses.push(("408", "The body did not arrive in time"));
        statuses.push(("413", "The body is too large"));
    }
    if operation.request_body.is_some() {
        statuses.push(("415", "The body is of another type"));
    }
    for (status, description) in statuses {
        let known = &mut operation.responses.responses;
        known.entry(status.to_owned()).or_insert_with(|| problem(description).into());
    }
}

/// A problem document.
fn problem(description: &str) -> Response {
    let document = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", document).build()
}
