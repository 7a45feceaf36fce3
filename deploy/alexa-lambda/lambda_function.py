"""Hands directives of Alexa to Promenade, which answers them; the access token in each says whose they are."""

import json
import os
import urllib.request
import uuid

URL = os.environ["PROMENADE_URL"].rstrip("/") + "/voice/alexa"
# Alexa waits 8 seconds; Promenade answers within 6.
PATIENCE_S = 7


def lambda_handler(directive, _context):
    body = json.dumps(directive).encode()
    request = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        # Nothing of the directive is logged: it has the token of a person.
        print("Promenade does not answer:", type(error).__name__, getattr(error, "code", ""))
        return unreachable(directive)


def unreachable(directive):
    header = {"namespace": "Alexa", "name": "ErrorResponse", "payloadVersion": "3", "messageId": str(uuid.uuid4())}
    correlation = directive.get("directive", {}).get("header", {}).get("correlationToken")
    if correlation:
        header["correlationToken"] = correlation
    payload = {"type": "BRIDGE_UNREACHABLE", "message": "Promenade does not answer"}
    return {"event": {"header": header, "payload": payload}}
