//! What the settings of a client may be.

use std::collections::BTreeSet;

use identity::redirect_uri_mistake;
use store::{Algorithm, ClientKind, ClientSettings, GrantType, Party, Scope, ScopeSet};

use super::redirects;
use super::shape::{ClientChange, ClientToCreate};
use crate::fields::{self, MAX_SCOPES, Mistakes};
use crate::problem::Problem;

/// The most addresses of a kind.
const MAX_ADDRESSES: usize = 50;
/// The longest address, in bytes.
const LONGEST_ADDRESS: usize = 2_000;
/// What an application asks for about the person and not about the organization.
const ABOUT_THE_PERSON: [&str; 4] = ["openid", "email", "profile", "offline_access"];

/// The kind and the settings that a body asks for; `issuer` is what our own APIs are named by.
pub(super) fn of_new(body: ClientToCreate, issuer: &str) -> Result<(ClientKind, ClientSettings), Problem> {
    let mut mistakes = Mistakes::default();
    let kind = mistakes.check("/kind", fields::word(&body.kind, ClientKind::ALL));
    let has_party = body.party.is_some();
    let party = mistakes.optional("/party", body.party, |text| fields::word(&text, Party::ALL));
    let Some(kind) = kind else { return Err(mistakes.refusal()) };
    if (kind == ClientKind::Assistant) != has_party {
        mistakes.push("/party", "is what an assistant has, and nothing else");
    }
    let settings = ClientSettings {
        name: body.name,
        logo: body.logo,
        party,
        redirect_uris: body.redirect_uris.unwrap_or_default(),
        post_logout_uris: body.post_logout_uris.unwrap_or_default(),
        backchannel_logout_uri: body.backchannel_logout_uri,
        scopes: body.scopes,
        grants: body.grants.map_or_else(
            || vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            |words| grants(&mut mistakes, &words),
        ),
        resources: body.resources.map(|given| resources(&mut mistakes, given, issuer)).unwrap_or_default(),
        id_token_algorithm: algorithm(&mut mistakes, body.id_token_algorithm).unwrap_or(Algorithm::Rs256),
    };
    check(&mut mistakes, kind, &settings);
    mistakes.finish()?;
    Ok((kind, settings))
}

/// The settings of a client after a change.
pub(super) fn changed(
    client: &store::Client,
    body: ClientChange,
    issuer: &str,
) -> Result<ClientSettings, Problem> {
    let mut mistakes = Mistakes::default();
    let before = client.settings.clone();
    let settings = ClientSettings {
        name: body.name.unwrap_or(before.name),
        logo: body.logo.unwrap_or(before.logo),
        party: before.party,
        redirect_uris: body.redirect_uris.unwrap_or(before.redirect_uris),
        post_logout_uris: body.post_logout_uris.unwrap_or(before.post_logout_uris),
        backchannel_logout_uri: body.backchannel_logout_uri.unwrap_or(before.backchannel_logout_uri),
        scopes: body.scopes.unwrap_or(before.scopes),
        grants: body.grants.map_or(before.grants, |words| grants(&mut mistakes, &words)),
        // Those of an issuer that was renamed stay until somebody names others.
        resources: body.resources.map_or(before.resources, |given| resources(&mut mistakes, given, issuer)),
        id_token_algorithm: algorithm(&mut mistakes, body.id_token_algorithm)
            .unwrap_or(before.id_token_algorithm),
    };
    check(&mut mistakes, client.kind, &settings);
    mistakes.finish()?;
    Ok(settings)
}

/// Those of a client's scopes that open this interface.
pub(super) fn api_scopes(settings: &ClientSettings) -> ScopeSet {
    settings.scopes.iter().filter_map(|word| word.parse::<Scope>().ok()).collect()
}

fn grants(mistakes: &mut Mistakes, words: &[String]) -> Vec<GrantType> {
    let check = |(index, word): (usize, &String)| {
        mistakes.check(&format!("/grants/{index}"), fields::word(word, GrantType::ALL))
    };
    let mut grants: Vec<GrantType> = words.iter().enumerate().filter_map(check).collect();
    grants.sort_unstable();
    grants.dedup();
    grants
}

fn resources(mistakes: &mut Mistakes, given: Vec<String>, issuer: &str) -> Vec<String> {
    let ours = ["/api/v1", "/mqtt"].map(|path| format!("{issuer}{path}"));
    for (index, resource) in given.iter().enumerate() {
        if !ours.contains(resource) {
            let detail = format!("must be `{}` or `{}`", ours[0], ours[1]);
            mistakes.push(&format!("/resources/{index}"), detail);
        }
    }
    given
}

fn algorithm(mistakes: &mut Mistakes, word: Option<String>) -> Option<Algorithm> {
    mistakes.optional("/id_token_algorithm", word, |word| fields::word(&word, Algorithm::ALL))
}

/// Finds every mistake of the settings as a whole.
fn check(mistakes: &mut Mistakes, kind: ClientKind, settings: &ClientSettings) {
    let _ = mistakes.check("/name", fields::short_name(settings.name.clone()));
    check_grants(mistakes, kind, settings);
    check_scopes(mistakes, &settings.scopes);
    check_list(mistakes, "/redirect_uris", &settings.redirect_uris, |uri| {
        redirects::mistake(kind, settings.party, uri)
    });
    let owned = |mistake: Option<&str>| mistake.map(str::to_owned);
    check_list(mistakes, "/post_logout_uris", &settings.post_logout_uris, |uri| {
        owned(redirect_uri_mistake(kind, uri))
    });
    check_list(mistakes, "/resources", &settings.resources, |_| None);
    // A picture is fetched by browsers, from a page that is not ours.
    let alone = [
        ("/logo", &settings.logo, ClientKind::Assistant),
        ("/backchannel_logout_uri", &settings.backchannel_logout_uri, ClientKind::Confidential),
    ];
    for (pointer, uri, like) in alone {
        if let Some(detail) =
            uri.as_deref().and_then(|uri| address(uri, |uri| owned(redirect_uri_mistake(like, uri))))
        {
            mistakes.push(pointer, detail);
        }
    }
}

fn check_grants(mistakes: &mut Mistakes, kind: ClientKind, settings: &ClientSettings) {
    let has = |grant| settings.grants.contains(&grant);
    if settings.grants.is_empty() {
        mistakes.push("/grants", "must have an entry");
    }
    if kind == ClientKind::Public && has(GrantType::ClientCredentials) {
        mistakes.push("/grants", "a public client has no credentials of its own");
    }
    let foreign = has(GrantType::ClientCredentials) || has(GrantType::DeviceCode);
    if kind == ClientKind::Assistant && foreign {
        mistakes.push("/grants", "an assistant has `authorization_code` and `refresh_token` only");
    }
    if has(GrantType::AuthorizationCode) && settings.redirect_uris.is_empty() {
        mistakes.push("/redirect_uris", "must have an entry, for `authorization_code`");
    }
}

fn check_scopes(mistakes: &mut Mistakes, scopes: &[String]) {
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        mistakes.push("/scopes", format!("must have 1 to {MAX_SCOPES} entries"));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, scope) in scopes.iter().enumerate() {
        let pointer = format!("/scopes/{index}");
        if !ABOUT_THE_PERSON.contains(&scope.as_str()) && scope.parse::<Scope>().is_err() {
            let detail = format!("must be {} or a scope of this interface", ABOUT_THE_PERSON.join(", "));
            mistakes.push(&pointer, detail);
        } else if !seen.insert(scope) {
            mistakes.push(&pointer, "is named twice");
        }
    }
}

fn check_list(
    mistakes: &mut Mistakes,
    pointer: &str,
    uris: &[String],
    mistake: impl Fn(&str) -> Option<String>,
) {
    if uris.len() > MAX_ADDRESSES {
        mistakes.push(pointer, format!("must have at most {MAX_ADDRESSES} entries"));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, uri) in uris.iter().enumerate() {
        let twice = (!seen.insert(uri)).then(|| "is named twice".to_owned());
        if let Some(detail) = twice.or_else(|| address(uri, &mistake)) {
            mistakes.push(&format!("{pointer}/{index}"), detail);
        }
    }
}

fn address(uri: &str, mistake: impl Fn(&str) -> Option<String>) -> Option<String> {
    if uri.len() > LONGEST_ADDRESS {
        return Some(format!("must have at most {LONGEST_ADDRESS} characters"));
    }
    mistake(uri)
}
