"""A person who signs in with the button of another provider, and what they read at the end."""

import json
import sys
from urllib.parse import urljoin

import requests
from browser import Forms

world = json.loads(sys.argv[1])


def check(what, holds):
    if not holds:
        raise SystemExit(f"{what}: {holds!r}")
    print(what)


def follow(session, answer):
    """Goes where the browser is sent, until there is a page."""
    for _ in range(20):
        if not answer.is_redirect:
            return answer
        answer = session.get(urljoin(answer.url, answer.headers["location"]), allow_redirects=False)
    raise SystemExit(f"{answer.url} leads nowhere")


def press(session, page, action, **filled):
    """Sends the form of a page that leads to an address."""
    forms = [form for form in Forms(page.text).found if action in form[0]]
    if not forms:
        raise SystemExit(f"{page.status_code} and no form to {action}: {page.text[:2000]}")
    target, fields = forms[0]
    answer = session.post(urljoin(page.url, target), data={**fields, **filled}, allow_redirects=False)
    return follow(session, answer)


def leave(session, start):
    """Goes from a page of the server to the provider."""
    page = session.get(world["issuer"] + start)
    return press(session, page, "/identity/providers/node")


def sign_in(session, name, start):
    """Signs in at the provider and agrees. Gives the page of the server that comes of it."""
    page = press(session, leave(session, start), "/interaction/", login=name, password="any")
    return press(session, page, "/interaction/") if "/interaction/" in page.url else page


def is_account_of(page, email):
    return page.url == world["issuer"] + "/account" and f"<p>{email}</p>" in page.text


one = requests.Session()
check("a new person has an account", is_account_of(sign_in(one, "ann", "/sign-up"), "ann@example.org"))
linked = one.get(world["issuer"] + "/account/providers").text
check("and sees how they sign in", "<strong>Node</strong>" in linked and "ann@example.org" in linked)

two = requests.Session()
check("the same person comes again", is_account_of(sign_in(two, "ann", "/sign-in"), "ann@example.org"))

page = sign_in(requests.Session(), "ben", "/sign-in")
check("an address that is not verified gets a mail", "Look into your mail" in page.text)

three = requests.Session()
page = leave(three, "/sign-in")
abort = page.url.split("?")[0] + "/abort"
page = follow(three, three.get(abort, allow_redirects=False))
check("who does not agree is told so", page.status_code == 400 and "You did not agree at Node" in page.text)
