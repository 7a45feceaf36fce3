//! A person with a browser: keeps cookies, fills in forms and stops where a client waits.

use anyhow::{Context as _, Result, bail};

use crate::bench::http::{Answer, Connection, Request};

/// More pages than any way through them has.
const PAGES: usize = 12;

/// A browser and what its person knows to fill in.
#[derive(Clone)]
pub(in crate::bench) struct Browser {
    /// HOST:PORT of the server that it is at.
    address: String,
    cookies: Vec<Cookie>,
    /// Fields by name; those of a form that are not among them stay as they are.
    known: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// A form of a page.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Browser {
    pub(super) fn new(address: &str, known: &[(&'static str, &str)]) -> Self {
        let known = known.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { address: address.to_owned(), cookies: Vec::new(), known }
    }

    /// Fills in something else from now on.
    pub(super) fn knows(&mut self, name: &'static str, value: &str) {
        self.known.retain(|(known, _)| *known != name);
        self.known.push((name, value.to_owned()));
    }

    /// Goes on from page to page, filling in the form of each, until it is sent to an address that begins with
    /// `until`; answers that address.
    pub(in crate::bench) fn visit(&mut self, address: &str, until: &str) -> Result<String> {
        let mut answer = self.get(address)?;
        for _ in 0..PAGES {
            answer = match answer.location() {
                Some(to) if self.path(to).starts_with(until) => return Ok(self.path(to).to_owned()),
                Some(to) => {
                    let to = to.to_owned();
                    self.get(&to)?
                }
                None => {
                    let request = self.filled_in(&answer)?;
                    self.ask(&request)?
                }
            };
        }
        bail!("{address} leads nowhere")
    }

    /// The form of a page of this browser, filled in: a request that can be sent again and again.
    pub(super) fn form_of(&mut self, path: &str) -> Result<Request> {
        let answer = self.get(path)?;
        self.filled_in(&answer)
    }

    /// The header line with what it keeps for a path.
    pub(super) fn cookies(&self, path: &str) -> Vec<String> {
        let sent = self.cookies.iter().filter(|cookie| path.starts_with(&cookie.path));
        let pairs: Vec<_> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() { Vec::new() } else { vec![format!("Cookie: {}", pairs.join("; "))] }
    }

    fn get(&mut self, address: &str) -> Result<Answer> {
        let path = self.path(address).to_owned();
        let request = Request::get(&self.address, &path, &self.cookies(&path));
        self.ask(&request)
    }

    /// A person takes longer between two pages than some servers keep a connection open.
    fn ask(&mut self, request: &Request) -> Result<Answer> {
        let answer = Connection::open(&self.address)?.ask(request)?;
        for line in answer.headers("set-cookie") {
            let cookie = Cookie::read(line).with_context(|| format!("`{line}` is no cookie"))?;
            self.cookies.retain(|known| (&known.name, &known.path) != (&cookie.name, &cookie.path));
            if !cookie.value.is_empty() {
                self.cookies.push(cookie);
            }
        }
        Ok(answer)
    }

    fn filled_in(&self, page: &Answer) -> Result<Request> {
        let form = Form::of(&page.body);
        let form = form.with_context(|| format!("{} and no form: {}", page.status, page.body))?;
        let mut fields: Vec<_> = form.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        for (name, value) in &self.known {
            match fields.iter_mut().find(|(field, _)| field == name) {
                Some((_, filled)) => *filled = value,
                // Buttons are no fields, and the one that is pressed sends its value.
                None if *name == "decision" => fields.push((name, value)),
                None => {}
            }
        }
        let path = self.path(&form.action);
        Ok(Request::form(&self.address, path, &self.cookies(path), &fields))
    }

    /// What follows our server's own origin, if the address begins with it.
    fn path<'a>(&self, address: &'a str) -> &'a str {
        address.strip_prefix("http://").and_then(|rest| rest.strip_prefix(&self.address)).unwrap_or(address)
    }
}

impl Cookie {
    /// RFC 6265 section 4.1.1; what is over has no value here.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let path = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.eq_ignore_ascii_case("path").then_some(value)
        });
        let [name, value, path] = [name, value, path.unwrap_or("/")].map(str::to_owned);
        Some(Self { name, value, path })
    }
}

impl Form {
    /// The last of a page: what it is for. One for signing out may stand above it.
    fn of(page: &str) -> Option<Self> {
        let (_, rest) = page.rsplit_once("<form")?;
        let (head, rest) = rest.split_once('>')?;
        let (inner, _) = rest.split_once("</form>")?;
        let inputs = inner.split("<input").skip(1).filter_map(|input| input.split_once('>'));
        let fields = inputs.filter_map(|(input, _)| {
            Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
        });
        Some(Self { action: attribute(head, "action")?, fields: fields.collect() })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_as_its_person_would() {
        let page = r#"<form action="/sign-out"><button>Sign out</button></form><form method="post" action="/sign-in?a&amp;b"><input type="hidden" name="csrf" value="x&quot;y">
            <label>Name</label><input required name="email" type="email"><button name="decision" value="agree">Go</button></form>"#;
        let form = Form::of(page).unwrap();
        assert_eq!(form.action, "/sign-in?a&b");
        let fields =
            [("csrf", "x\"y"), ("email", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.fields, fields);
        assert_eq!(Form::of("<p>no form</p>"), None);
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let mut browser = Browser::new("127.0.0.1:80", &[]);
        for line in ["s=1; Path=/; HttpOnly", "step=a; path=/auth/a; samesite=lax", "whole=2"] {
            browser.cookies.push(Cookie::read(line).unwrap());
        }
        assert_eq!(browser.cookies("/auth/a?x"), ["Cookie: s=1; step=a; whole=2"]);
        assert_eq!(browser.cookies("/auth/b"), ["Cookie: s=1; whole=2"]);
        assert_eq!(browser.path("http://127.0.0.1:80/a"), "/a");
        assert_eq!(browser.path("https://client.example/cb"), "https://client.example/cb");
    }
}
