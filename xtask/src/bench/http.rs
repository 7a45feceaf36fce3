//! HTTP/1.1 (RFC 9112) as far as a client of the benches needs it: one request at a time on a connection that stays open.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail, ensure};

/// An open connection.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

/// What a server answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The lines of the head without the first.
    headers: Vec<String>,
    pub(super) body: String,
}

/// The bytes of a request.
#[derive(Clone, Debug)]
pub(super) struct Request(String);

impl Connection {
    pub(super) fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("nobody listens at {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer> {
        self.stream.get_mut().write_all(request.0.as_bytes())?;
        let mut answer = Answer { status: status(&self.line()?)?, ..Answer::default() };
        let mut length = 0;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some(value) = value(&line, "content-length") {
                length = value.parse().context("Content-Length")?;
            }
            ensure!(
                value(&line, "transfer-encoding").is_none(),
                "an answer in chunks is not understood here"
            );
            answer.headers.push(line);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        answer.body = String::from_utf8(body)?;
        Ok(answer)
    }

    /// A line without its end.
    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') || line.pop() != Some(b'\r') {
            bail!("the connection ended within an answer");
        }
        Ok(String::from_utf8(line)?)
    }
}

impl Answer {
    /// The values of a header, whose name is given in lower case.
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter_map(move |line| value(line, name))
    }

    /// Where the server sends us.
    pub(super) fn location(&self) -> Option<&str> {
        self.headers("location").next().filter(|_| (300..400).contains(&self.status))
    }

    /// Fails unless it has this status; the error says what it has instead.
    pub(super) fn must_be(&self, status: u16) -> Result<()> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.body.trim());
        Ok(())
    }

    /// A text of a JSON object that is not nested, as it stands there: tokens have nothing escaped in them.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(text, _)| text)
    }
}

impl Request {
    /// `more` are whole header lines without their ends.
    pub(super) fn get(address: &str, path: &str, more: &[String]) -> Self {
        Self::new("GET", address, path, more, None)
    }

    /// A form of these fields.
    pub(super) fn form(address: &str, path: &str, more: &[String], fields: &[(&str, &str)]) -> Self {
        let body = (encoded(fields), "application/x-www-form-urlencoded");
        Self::new("POST", address, path, more, Some(body))
    }

    pub(super) fn json(address: &str, path: &str, more: &[String], body: &serde_json::Value) -> Self {
        Self::new("POST", address, path, more, Some((body.to_string(), "application/json")))
    }

    fn new(method: &str, address: &str, path: &str, more: &[String], body: Option<(String, &str)>) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
        for line in more {
            let _ = write!(text, "{line}\r\n");
        }
        match body {
            None => text.push_str("\r\n"),
            Some((body, kind)) => {
                let length = body.len();
                let _ = write!(text, "Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}");
            }
        }
        Self(text)
    }
}

/// The header line that shows a token.
pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// `application/x-www-form-urlencoded`: whatever has a meaning of its own is escaped.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => escaped.push(byte.into()),
                _ => drop(write!(escaped, "%{byte:02X}")),
            }
            escaped
        })
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn status(line: &str) -> Result<u16> {
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.with_context(|| format!("`{line}` begins no answer of HTTP/1.1"))
}

/// The value of a header line, if it is that of this name.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (known, value) = line.split_once(':')?;
    known.eq_ignore_ascii_case(name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn answers_follow_each_other_on_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heads = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let answers = [
                "303 See Other\r\nLocation: /a\r\ncontent-length: 0\r\n\r\n",
                "200 OK\r\nContent-Length: 21\r\n\r\n{\"a\":1,\"token\":\"xyz\"}",
            ];
            let answer = |answer| {
                let asked: Vec<_> = heads.by_ref().take_while(|line| !line.is_empty()).collect();
                write!(stream, "HTTP/1.1 {answer}").unwrap();
                asked
            };
            answers.map(answer)
        });
        let mut connection = Connection::open(&address).unwrap();
        let request = Request::get(&address, "/", &[]);
        let first = connection.ask(&request).unwrap();
        assert_eq!((first.status, first.location(), first.body.as_str()), (303, Some("/a"), ""));
        let second = connection.ask(&request).unwrap();
        assert_eq!((second.location(), second.text("token")), (None, Some("xyz")));
        assert!(second.must_be(200).is_ok() && second.must_be(303).is_err());
        assert_eq!(
            server.join().unwrap(),
            [(); 2].map(|()| ["GET / HTTP/1.1".to_owned(), format!("Host: {address}")])
        );
        assert!(connection.ask(&request).is_err(), "it ended");
    }

    #[test]
    fn forms_are_escaped() {
        let request = Request::form("h", "/p", &[bearer("t")], &[("a b", "x&y=é"), ("c", "")]);
        let expected = "POST /p HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\
            Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 23\r\n\r\na%20b=x%26y%3D%C3%A9&c=";
        assert_eq!(request.0, expected);
    }
}
