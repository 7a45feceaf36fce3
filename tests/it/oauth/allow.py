"""Lets a person allow a device in, at the address and with the code that the device shows."""

import json
import sys

from browser import Person

world = json.loads(sys.argv[1])
page = Person(world["email"], world["password"]).allow(sys.argv[2], sys.argv[3])
assert page.status_code == 200, page.text
