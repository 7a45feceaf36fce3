//! The `OpenAPI` document: what the handlers say of themselves, and what holds for all of them.

mod refusals;

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{
    AuthorizationCode, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes,
    SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ObjectBuilder, PathItem, Type, schema::Schema};

use crate::idempotency;
use crate::problem::{Document, Mistake, Position};

/// What may be asked for at the token endpoint.
const SCOPES: [(&str, &str); 13] = [
    ("venues:read", "read venues and zones"),
    ("venues:write", "change venues and zones"),
    ("devices:read", "read devices"),
    ("devices:write", "register, change and delete devices"),
    ("commands:write", "send commands to devices"),
    ("analytics:read", "read what was counted"),
    ("stays:read", "read single, pseudonymous stays"),
    ("movements:subscribe", "follow movements as they happen"),
    ("pings:write", "report pings; of a person: for their own phones"),
    ("me:data", "of a person: read all that there is about them, and erase it"),
    ("metrics:read", "read the metrics of the server"),
    ("admin", "manage people, roles, keys, clients and grants"),
    ("*", "all of these"),
];

/// What the document says before any route is added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Promenade",
        description = "Beacons, gateways, kiosks and phones report what they hear; Promenade counts visits.\n\n\
            Every request under `/api/v1` and `/voice` needs an API key, or an access token of the OAuth2 server, as \
            `Authorization: Bearer …` with the scope its operation names. Bodies are JSON of at most 64 KiB, batches \
            of pings JSON or CBOR and tables CSV of at most 256 KiB; times are RFC 3339, positions metres. Refusals are problem \
            documents (RFC 9457) with a stable `type`.\n\n\
            Lists have `items` and `next_cursor`; pass that as `cursor` for the next page. Writes take an \
            `Idempotency-Key`: the same request with the same key within 24 hours gets the first answer again, its \
            secrets null. Batches of pings need none: their numbers make them repeatable. Devices that ask to come in \
            (`/enrolments`) sign in with nothing yet."
    ),
    components(schemas(Document, Mistake, Position)),
    tags(
        (name = "venues", description = "Shops, halls and homes."),
        (name = "zones", description = "The parts of a venue."),
        (name = "devices", description = "Anything with an identity: beacons, gateways, kiosks, phones, tags, appliances."),
        (name = "enrolments", description = "Devices without credentials that ask to come in, and who lets them. `docs/devices.md` describes it."),
        (name = "claim_keys", description = "Keys in the image of a fleet, with which its devices come in."),
        (name = "commands", description = "Orders to devices, and how far they got. `docs/commands.md` describes them."),
        (name = "twins", description = "What devices should be, what they say they are, and what changed."),
        (name = "pings", description = "What devices hear, for those that do not speak MQTT."),
        (name = "phones", description = "People's own phones, and what people agreed to. These operations need an access token of a person."),
        (name = "analytics", description = "What was counted. `docs/metrics.md` defines each number."),
        (name = "keys", description = "API keys. A key can only give what it has itself."),
        (name = "members", description = "The people of the organization, and what each may do."),
        (name = "roles", description = "What a member may do. Some roles are built in, the organization makes others."),
        (name = "invitations", description = "How people come into the organization."),
        (name = "clients", description = "Applications that ask people for access: assistants, phones, kiosks, services."),
        (name = "grants", description = "Linked services: what a client was allowed, by whom, and how it does."),
        (name = "voice", description = "What people linked to voice assistants, and the PINs of devices. `docs/voice.md` describes them."),
        (name = "integrations", description = "Other systems that are told of what there is."),
        (name = "audit", description = "What happened in the organization."),
        (name = "server", description = "The server itself."),
        (name = "documentation", description = "Pages about this interface.")
    )
)]
pub(crate) struct Base;

/// Adds what holds for every operation: how to sign in, how refusals look, and the header that makes writes repeatable.
pub(crate) fn complete(openapi: &mut utoipa::openapi::OpenApi) {
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("pk_…, or a JWT")
        .description(Some(
            "An API key, made by `promenade token` or `POST /api/v1/keys`, or an access token of the OAuth2 server.",
        ))
        .build();
    let components = openapi.components.get_or_insert_default();
    components.security_schemes.insert("key".to_owned(), SecurityScheme::Http(key).into());
    components.security_schemes.insert("oauth".to_owned(), SecurityScheme::OAuth2(oauth()).into());
    for (path, item) in &mut openapi.paths.paths {
        let is_ours = path.starts_with("/api/v1/") || path.starts_with("/voice/");
        for operation in operations(item) {
            name(operation);
            also_by_oauth(operation);
        }
        if is_ours || path == "/metrics" {
            item.get.iter_mut().for_each(|operation| refusals::add(operation, false));
            for operation in [&mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
                if !idempotency::is_keyless(path) {
                    operation.parameters.get_or_insert_default().push(idempotency_key().into());
                }
                refusals::add(operation, true);
            }
            // What is put may be put again without a key.
            item.put.iter_mut().for_each(|operation| refusals::add(operation, true));
        }
    }
}

/// How applications come by access tokens.
fn oauth() -> OAuth2 {
    let scopes = || Scopes::from_iter(SCOPES.map(|(scope, what)| (scope.to_owned(), what.to_owned())));
    let code = AuthorizationCode::new("/oauth/authorize", "/oauth/token", scopes());
    let own = ClientCredentials::new("/oauth/token", scopes());
    OAuth2::with_description(
        [Flow::AuthorizationCode(code), Flow::ClientCredentials(own)],
        "`/.well-known/openid-configuration` describes the server.",
    )
}

/// What can be done with a key can be done with a token of the same scope.
fn also_by_oauth(operation: &mut Operation) {
    let Some(required) = &mut operation.security else { return };
    let by_key = required.first().and_then(|first| serde_json::to_value(first).ok()).unwrap_or_default();
    let scopes = by_key["key"].as_array().cloned().unwrap_or_default();
    let scopes: Vec<&str> = scopes.iter().filter_map(|scope| scope.as_str()).collect();
    required.push(SecurityRequirement::new("oauth", scopes));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Handlers are named within their module; the document needs names that are unique, and has a tag for each module.
fn name(operation: &mut Operation) {
    let tag = operation.tags.as_deref().and_then(|tags| tags.first());
    if let (Some(tag), Some(id)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
}

fn idempotency_key() -> Parameter {
    let text =
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)).build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "1 to 255 visible ASCII characters; a repeat within 24 hours gets the first answer again",
        ))
        .schema(Some(Schema::Object(text)))
        .build()
}
