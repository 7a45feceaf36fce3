"""Authlib, requests-oauthlib and idpyoidc as clients of the server: what they ask for, they get."""

import json
import os
import secrets
import sys
from urllib.parse import parse_qsl, urlparse

import requests

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # on this machine alone

from authlib.integrations.requests_client import OAuth2Session as Authlib
from idpyoidc.client.rp_handler import RPHandler
from joserfc import jwt
from joserfc.jwk import KeySet
from requests_oauthlib import OAuth2Session as RequestsOAuthlib

from browser import Person

world = json.loads(sys.argv[1])
issuer, redirect = world["issuer"], world["redirect"]
client, secret = world["client"], world["secret"]
SCOPE = "openid email profile offline_access venues:read"
person = Person(world["email"], world["password"])


def check(what, holds):
    if not holds:
        raise SystemExit(f"{what}: {holds!r}")
    print(what)


found = requests.get(f"{issuer}/.well-known/openid-configuration").json()
check("discovery names its issuer", found["issuer"] == issuer)
check("the same is found by RFC 8414", requests.get(f"{issuer}/.well-known/oauth-authorization-server").json() == found)
keys = KeySet.import_key_set(requests.get(found["jwks_uri"]).json())


def authlib():
    session = Authlib(client, secret, scope=SCOPE, redirect_uri=redirect, code_challenge_method="S256")
    verifier = secrets.token_urlsafe(48)
    url, state = session.create_authorization_url(
        found["authorization_endpoint"], code_verifier=verifier, nonce="n1"
    )
    back = person.visit(url, redirect)
    answer = dict(parse_qsl(urlparse(back).query))
    check("Authlib: state and issuer come back", (answer["state"], answer["iss"]) == (state, issuer))
    token = session.fetch_token(found["token_endpoint"], authorization_response=back, code_verifier=verifier)
    check("Authlib: a code becomes tokens", {"access_token", "refresh_token", "id_token"} <= set(token))
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    said = (claims["iss"], claims["aud"], claims["nonce"], claims["email"])
    check("Authlib: the ID token says who", said == (issuer, client, "n1", world["email"]))
    check("Authlib: userinfo", session.get(found["userinfo_endpoint"]).json()["sub"] == claims["sub"])
    venues = f"{issuer}/api/v1/venues"
    check("Authlib: the API takes the token", session.get(venues).status_code == 200)
    fresh = session.refresh_token(found["token_endpoint"], refresh_token=token["refresh_token"])
    check("Authlib: refresh", fresh["access_token"] != token["access_token"])
    told = session.introspect_token(found["introspection_endpoint"], token=fresh["access_token"]).json()
    check("Authlib: introspection", told["active"] and told["client_id"] == client)
    gone = session.revoke_token(found["revocation_endpoint"], token=token["refresh_token"])
    check("Authlib: revocation", gone.status_code == 200)
    told = session.introspect_token(found["introspection_endpoint"], token=fresh["access_token"]).json()
    check("Authlib: what it stood for is over", told == {"active": False})
    refused = requests.get(venues, headers={"Authorization": f"Bearer {fresh['access_token']}"})
    check("Authlib: and the API knows it", refused.status_code == 401)


def requests_oauthlib():
    session = RequestsOAuthlib(client, scope=SCOPE.split(), redirect_uri=redirect, pkce="S256")
    url, _ = session.authorization_url(found["authorization_endpoint"])
    token = session.fetch_token(
        found["token_endpoint"], authorization_response=person.visit(url, redirect), client_secret=secret
    )
    check("requests-oauthlib: a code becomes tokens", "id_token" in token)
    fresh = session.refresh_token(found["token_endpoint"], auth=(client, secret))
    check("requests-oauthlib: refresh", fresh["access_token"] != token["access_token"])
    check("requests-oauthlib: userinfo", session.get(found["userinfo_endpoint"]).json()["email"] == world["email"])


def idpyoidc():
    scopes = SCOPE.split()
    pkce = "idpyoidc.client.oauth2.add_on.pkce.add_support"
    settings = {
        "issuer": issuer,
        "client_id": client,
        "client_secret": secret,
        "redirect_uris": [redirect],
        "client_type": "oidc",
        "preference": {"response_types_supported": ["code"], "scopes_supported": scopes},
        "add_ons": {
            "pkce": {"function": pkce, "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"}}
        },
    }
    handler = RPHandler(base_url=redirect.rsplit("/", 1)[0], client_configs={"promenade": settings})
    begun = handler.begin("promenade")
    url = begun if isinstance(begun, str) else begun["url"]
    answer = dict(parse_qsl(urlparse(person.visit(url, redirect)).query))
    done = handler.finalize(issuer, answer)
    check("idpyoidc: a whole sign-in", "error" not in done and done["userinfo"]["email"] == world["email"])


def device():
    """RFC 8628 by hand: a kiosk without a keyboard, whose person has a browser elsewhere."""
    kiosk = world["kiosk"]
    begun = requests.post(found["device_authorization_endpoint"], data={"client_id": kiosk, "scope": "openid"}).json()
    grant = {
        "client_id": kiosk,
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": begun["device_code"],
    }
    agreed = person.allow(begun["verification_uri_complete"], begun["user_code"])
    check("device: the person agrees", agreed.status_code == 200)
    given = requests.post(found["token_endpoint"], data=grant)
    check("device: tokens", given.status_code == 200 and "access_token" in given.json())
    again = requests.post(found["token_endpoint"], data=grant)
    check("device: once", again.json()["error"] == "invalid_grant")


person.visit(world["set_up"], f"{issuer}/account")
authlib()
requests_oauthlib()
idpyoidc()
device()
