//! Who is on this machine reads the page, and nobody else, however they ask.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn snapshot() -> Snapshot {
    Snapshot {
        device: "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10".parse().unwrap(),
        version: "1.2.3",
        now: Timestamp(1_790_000_000_000),
        link: Standing {
            connected: true,
            for_s: Some(7_300),
            last_error: Some("<b>\"gone\" & back</b>".into()),
        },
        reported: Map::from_iter([
            (
                "health".to_owned(),
                json!({"temperature_c": 48, "adapter": {"name": "hci0", "state": "scanning"}, "clock": {"known": true}}),
            ),
            ("certificate".to_owned(), json!({"not_after": 1_790_432_000_000_i64, "renewal": "refused"})),
        ]),
        spool_bytes: 5_000,
        heard_per_s: 12.34,
        heard: vec![Sighting {
            id: "app:somebody".parse().unwrap(),
            rssi: -61,
            at: Timestamp(1_789_999_997_000),
        }],
        commands: vec![Told {
            command: "01999999-0000-7000-8000-000000000001".parse().unwrap(),
            name: None,
            status: "failed",
            reason: Some("interrupted".into()),
        }],
    }
}

async fn open() -> (Status, SocketAddr) {
    let config = StatusConfig { listen: Some((Ipv4Addr::LOCALHOST, 0).into()) };
    let status = Status::open(config, &Clock::system()).await;
    let address = status.address().expect("a page");
    (status, address)
}

/// Sends these bytes; what comes back until the end, while questions are answered.
async fn exchange(status: &mut Status, address: SocketAddr, request: &[u8]) -> String {
    let told = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be refused before all of it is sent.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    };
    tokio::pin!(told);
    let answered = async {
        loop {
            tokio::select! {
                told = &mut told => return told,
                question = status.asked() => question.send(snapshot()).unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), answered).await.expect("an answer")
}

#[tokio::test]
async fn the_page_and_its_numbers_are_there_for_whoever_is_on_this_machine() {
    let (mut status, address) = open().await;
    let page = exchange(&mut status, address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())) && head.contains("default-src 'none'")
    );
    for words in [
        "<td>Platform</td><td>connected for 2 h</td>",
        "<td>&lt;b&gt;&quot;gone&quot; &amp; back&lt;/b&gt;</td>",
        "<td>Certificate</td><td>good for 5 days, renewal: refused</td>",
        "<td>hci0 scanning</td>",
        "<td>12.3 a second</td>",
        "<td>5 KB without a receipt</td>",
        "<td>14:13:20 UTC</td>",
        "<td>48 °C</td>",
        "<td>app:somebody</td><td>-61 dBm</td><td>3 s ago</td>",
        "<td>failed interrupted</td>",
        "http-equiv=\"refresh\"",
    ] {
        assert!(body.contains(words), "{words}: {body}");
    }
    assert!(!body.contains("<script"));
    let json =
        exchange(&mut status, address, b"GET /status.json HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").await;
    let (_, body) = json.split_once("\r\n\r\n").unwrap();
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(told, serde_json::to_value(snapshot()).unwrap());
}

#[tokio::test]
async fn what_is_no_request_of_this_machine_is_refused() {
    let (mut status, address) = open().await;
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(5_000));
    for (request, answer) in [
        (&b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"[..], "HTTP/1.1 421 "),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 "),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 "),
        (&long.as_bytes()[..4_096], "HTTP/1.1 431 "),
    ] {
        let told = exchange(&mut status, address, request).await;
        assert!(told.starts_with(answer), "{told}");
        assert!(!told.contains("019c5a8e"), "{told}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_served_stops_nobody() {
    let (_status, address) = open().await;
    let other = Status::open(StatusConfig { listen: Some(address) }, &Clock::system()).await;
    assert_eq!(other.address(), None);
}

#[tokio::test]
async fn those_who_say_nothing_are_few_and_are_not_waited_for_without_end() {
    let (mut status, address) = open().await;
    let mut silent = Vec::new();
    for _ in 0..serving::MOST_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // They are given up after a while, and then somebody else is heard.
    let page = exchange(&mut status, address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
}
