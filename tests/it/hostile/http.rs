//! Hostile HTTP.

use anyhow::Context;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::still_serves;
use crate::world::{Shop, World};

/// What is wrong, the whole request, and the status that answers it.
type Case = (&'static str, Vec<u8>, u16);

fn requests(token: &str, shop: &Shop) -> Vec<Case> {
    let with = |head: &str, body: &[u8]| {
        let length = body.len();
        let mut request = format!(
            "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    };
    let post = |body: &[u8]| with("POST /api/v1/venues", body);
    let venue = |name: &str, value: serde_json::Value| {
        let mut venue = json!({"name": "x", "timezone": "UTC"});
        venue[name] = value;
        post(venue.to_string().as_bytes())
    };
    let footfall = |query: &str| with(&format!("GET /api/v1/venues/{}/footfall?{query}", shop.venue), b"");
    vec![
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(), 400),
        (
            "a key that is none",
            b"GET /api/v1/venues HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\n\r\n"
                .to_vec(),
            401,
        ),
        ("no key", b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), 401),
        ("a route that is none", with("GET /api/v1/nothing", b""), 404),
        ("a method that is none here", with("PUT /api/v1/venues", b"{}"), 405),
        ("a path that leaves the API", with("GET /api/v1/../../etc/passwd", b""), 404),
        ("an id that is none", with("GET /api/v1/venues/1", b""), 404),
        ("half a document", post(b"{\"name\":"), 400),
        ("a document that is not UTF-8", post(b"{\"name\":\"\xFF\"}"), 400),
        ("100,000 brackets", post(&[b'['; 60_000]), 400),
        ("a megabyte", post(&vec![b' '; 1_000_000]), 413),
        ("a field nobody knows", venue("colour", json!("red")), 422),
        ("a time zone that is none", venue("timezone", json!("Mars/Olympus")), 422),
        ("a name of control characters", venue("name", json!("a\u{7}b")), 422),
        ("a day that starts at 25:00", venue("day_starts_at", json!("25:00")), 422),
        ("a cursor that is none", with("GET /api/v1/venues?cursor=x", b""), 400),
        ("a page of a million", with("GET /api/v1/venues?limit=1000000", b""), 400),
        (
            "a bucket that is none",
            footfall("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&bucket=year"),
            400,
        ),
        (
            "a window that is not aligned",
            footfall("from=2026-01-01T00:00:01Z&to=2026-01-02T00:00:00Z&bucket=hour"),
            400,
        ),
        (
            "a window that ends before it begins",
            footfall("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z&bucket=hour"),
            400,
        ),
        ("a million buckets", footfall("from=1970-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&bucket=15m"), 400),
    ]
}

#[tokio::test]
async fn wrong_requests_get_their_status() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let mut counted = 0_u64;
    for (seq, (name, request, status)) in (0..).zip(requests(world.token(), &shop)) {
        let mut socket = TcpStream::connect(world.http()).await?;
        // The server may answer and close before it has read a request that is too large.
        let _ = socket.write_all(&request).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        let line = text.lines().next().with_context(|| format!("{name}: no answer"))?;
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {line}\n{text}");
        counted += u64::from(text.contains("application/problem+json"));
        if line.contains(" 401 ") {
            assert!(text.to_lowercase().contains("www-authenticate"), "{name}");
        }
        still_serves(&world, &shop, seq).await.context(name)?;
    }
    let metrics = world.api().text("/metrics").await?;
    let refusals = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("promenade_http_refusals_total{")?.split(' ').nth(1));
    let refusals: f64 = refusals.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    assert!(
        refusals >= counted as f64 && counted >= 18,
        "{counted} problems answered, {refusals} counted by cause"
    );
    Ok(())
}
