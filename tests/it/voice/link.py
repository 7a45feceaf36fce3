"""Links a person's account to an assistant, as the assistant's own client of OAuth2 does; prints the tokens."""

import json
import os
import sys

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # on this machine alone

import requests
from authlib.integrations.requests_client import OAuth2Session

from browser import Person

world = json.loads(sys.argv[1])
person = Person(world["email"], world["password"])
if world["set_up"]:
    person.visit(world["set_up"], world["issuer"] + "/account")
found = requests.get(f"{world['issuer']}/.well-known/openid-configuration").json()
scope = "openid devices:read commands:write"
session = OAuth2Session(world["client"], world["secret"], scope=scope, redirect_uri=world["redirect"])
url, state = session.create_authorization_url(found["authorization_endpoint"])
back = person.visit(url, world["redirect"])
print(json.dumps(session.fetch_token(found["token_endpoint"], authorization_response=back, state=state)))
