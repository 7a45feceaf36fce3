//! Connections that are slow, many or long.

use std::time::Duration;

use api::Config;
use store::{Link, LinkPurpose, Page};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let world = World::with(Config { header_timeout: Duration::from_millis(50), ..Config::default() }).await;
    let mut stream = world.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let answer = rest(stream).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let silent = world.connect().await;
    assert_eq!(rest(silent).await, "");
    world.stop().await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered() {
    let world = World::with(Config { body_timeout: Duration::from_millis(50), ..Config::default() }).await;
    for key in ["", "Idempotency-Key: k\r\n"] {
        let mut stream = world.connect().await;
        let head = format!(
            "POST /api/v1/venues HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{key}\
             Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
            world.key
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("/api/problems/request-timeout"), "{answer}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_forgotten() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let head = format!(
        "POST /api/v1/venues HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"name\"",
        world.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(world.get("/api/v1/venues").await.json()["items"].as_array().map(Vec::len), Some(0));
    world.stop().await;
}

#[tokio::test]
async fn requests_share_a_connection() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(&[&request[..], request, last].concat()).await.unwrap();
    assert_eq!(rest(stream).await.matches("HTTP/1.1 200 OK").count(), 3);
    world.stop().await;
}

#[tokio::test]
async fn more_connections_than_places_wait_for_one() {
    let world = World::with(Config { max_connections: 1, ..Config::default() }).await;
    let mut first = world.connect().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = world.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(50), second.read_exact(&mut byte)).await;
    assert!(waits.is_err(), "the only place is taken");
    drop(first);
    assert!(rest(second).await.starts_with("HTTP/1.1 200 OK"));
    world.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_nobody_who_is_idle() {
    let world = World::new().await;
    let mut idle = world.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    world.stop().await;
    assert!(rest(idle).await.ends_with("ok\n"));
}

#[tokio::test]
async fn behind_a_trusted_proxy_a_request_comes_from_whom_it_names() {
    let world = World::new().await;
    let now = world.app.clock.now();
    let link = Link {
        purpose: LinkPurpose::SetUp,
        account: None,
        email: String::new(),
        expires_at: now.plus(60_000),
    };
    let token = world.app.store.create_link(&link, now).await.unwrap().text();
    let page = world.request("GET", &format!("/set-up?token={token}")).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let text = page.text().await.unwrap();
    let csrf = text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let fields = format!(
        "csrf={csrf}&token={token}&name=Ann&email=ann%40example.org&new_password=correct+horse+battery"
    );
    let made = world
        .request("POST", "/set-up")
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", "198.51.100.7, 192.0.2.9")
        .body(fields);
    let made = made.send().await.unwrap();
    assert!(!made.status().is_client_error(), "{}", made.text().await.unwrap());
    let account = world.app.store.account_with_email("ann@example.org").await.unwrap().unwrap().id;
    let audit = world.app.store.audit_of_account(account, Page::first(9)).await.unwrap().items;
    assert!(!audit.is_empty());
    for entry in audit {
        assert_eq!(entry.address.as_deref(), Some("192.0.2.9"), "what is before it the client wrote itself");
    }
    world.stop().await;
}
