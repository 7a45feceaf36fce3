"""Lets a person go through an authorization request; prints where the client gets its answer."""

import json
import sys

from browser import Person

world = json.loads(sys.argv[1])
print(Person(world["email"], world["password"]).visit(sys.argv[2], world["redirect"]))
