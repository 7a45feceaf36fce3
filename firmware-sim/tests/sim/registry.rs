//! A registry of fifty lines that gives every device an id and a secret, and remembers what it was asked for.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The bodies of all requests, in the order in which they came.
pub(crate) type Asked = Arc<Mutex<Vec<Value>>>;

/// Starts it; it ends with the runtime.
pub(crate) async fn start() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let shared = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, Arc::clone(&shared)));
        }
    });
    (address, asked)
}

/// One connection; `None` is its end.
async fn serve(socket: TcpStream, asked: Asked) -> Option<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if socket.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await.ok()?;
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(serde_json::from_slice(&body).ok()?);
            asked.len()
        };
        let made =
            json!({"id": format!("01890000-0000-7000-8000-{number:012x}"), "secret": "secret"}).to_string();
        let head = format!(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            made.len()
        );
        socket.write_all(format!("{head}{made}").as_bytes()).await.ok()?;
    }
}
