"""A person with a browser: keeps cookies, fills in the forms of pages, and stops where a client waits."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests


class Forms(HTMLParser):
    """The forms of a page, each with its action and what is filled in already."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.found.append((attributes["action"], {}))
        elif tag == "input" and self.found and "name" in attributes:
            self.found[-1][1][attributes["name"]] = attributes.get("value") or ""


class Person:
    """Knows what to fill in: their name, address and password. Agrees to what they are asked."""

    STEPS = ["/set-up", "/sign-in", "/oauth/consent", "/device", "/device/decision"]

    def __init__(self, email, password, name="Ann"):
        self.session = requests.Session()
        self.answers = {
            "email": email,
            "password": password,
            "new_password": password,
            "name": name,
            "decision": "agree",
        }

    def visit(self, url, until, **more):
        """Goes on from page to page until an address that begins with `until`; answers that address."""
        answer = self.session.get(url, allow_redirects=False)
        for _ in range(20):
            if answer.is_redirect:
                target = urljoin(answer.url, answer.headers["location"])
                if target.startswith(until):
                    return target
                answer = self.session.get(target, allow_redirects=False)
                continue
            answer = self.submit(answer, more)
        raise SystemExit(f"{url} leads nowhere")

    def allow(self, url, user_code):
        """Lets a device in that shows this address and code; answers the page that says so."""
        page = self.session.get(url)
        if "/sign-in" in page.url:
            page = self.submit(page, {})
            while page.is_redirect:
                page = self.session.get(urljoin(page.url, page.headers["location"]), allow_redirects=False)
        return self.submit(self.submit(page, {"user_code": user_code}), {})

    def submit(self, page, more):
        """Fills in the form of a page that is one of the steps."""
        for action, fields in Forms(page.text).found:
            if action in self.STEPS:
                known = {**self.answers, **more}
                filled = {name: known.get(name, value) for name, value in fields.items()}
                if action in ("/oauth/consent", "/device/decision"):
                    filled["decision"] = "agree"
                return self.session.post(urljoin(page.url, action), data=filled, allow_redirects=False)
        raise SystemExit(f"{page.status_code} and no form to go on with: {page.text[:2000]}")
