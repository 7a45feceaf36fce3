//! Connections of whoever looks at the page: few, short and each for one answer.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::debug;

use super::request::{self, LONGEST, Refusal, Request};
use super::{Question, page};
use crate::Clock;

/// How many may look at once; others wait.
pub(super) const MOST_CONNECTIONS: usize = 4;

/// How long a connection may take from its first byte to its last; browsers hold some open that they do not use.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait where the system gives no connection.
const REST: Duration = Duration::from_secs(1);

/// What every answer says: it is of this moment, runs nothing, and is part of nobody else's page.
const FIELDS: &str = "Cache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n";

/// Serves the page for as long as this is not dropped. Who asks is handed over as a question.
pub(super) async fn serve(listener: TcpListener, questions: mpsc::Sender<Question>, clock: Clock) {
    let never = accept(listener, questions, clock).await;
    match never {}
}

async fn accept(listener: TcpListener, questions: mpsc::Sender<Question>, clock: Clock) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let questions = questions.clone();
                    connections.spawn(async move {
                        let answered = tokio::time::timeout(PATIENCE, answer(stream, questions)).await;
                        debug!(?answered, "somebody looked at the status page");
                    });
                }
                Err(error) => {
                    debug!(%error, "a connection to the status page failed");
                    clock.until(clock.elapsed() + REST).await;
                }
            },
        }
    }
}

async fn answer(mut stream: TcpStream, questions: mpsc::Sender<Question>) -> io::Result<()> {
    let asked = match head(&mut stream).await? {
        Some(head) => request::read(&head),
        None => Err(Refusal::Long),
    };
    let response = match asked {
        Ok(request) => {
            let (question, answer) = oneshot::channel();
            questions.send(question).await.map_err(io::Error::other)?;
            let snapshot = answer.await.map_err(io::Error::other)?;
            match request {
                Request::Page => response("200 OK", "text/html; charset=utf-8", &page::render(&snapshot)),
                Request::Json => response("200 OK", "application/json", &serde_json::to_string(&snapshot)?),
            }
        }
        Err(refusal) => response(refusal.status(), "text/plain; charset=utf-8", refusal.status()),
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// The head of a request without the empty line at its end; none if it is too long.
async fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut bytes = [0; LONGEST];
    let mut len = 0;
    while len < LONGEST {
        let read = stream.read(&mut bytes[len..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        len += read;
        if let Some(end) = bytes[..len].windows(4).position(|end| end == b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(&bytes[..end]).into_owned()));
        }
    }
    Ok(None)
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{FIELDS}\r\n{body}"
    )
}
