//! Requests that no honest client sends. Each gets an answer that says why, and the server goes on.

use serde_json::json;

use crate::world::World;

/// What a raw request starts with, up to its own headers.
fn head(world: &World, request: &str) -> String {
    format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n", world.key)
}

/// A POST of a body to `/api/v1/venues`.
fn post(world: &World, body: &[u8]) -> Vec<u8> {
    let head = head(world, "POST /api/v1/venues");
    let mut request =
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    request.extend_from_slice(body);
    request
}

#[tokio::test]
async fn hostile_bodies() {
    let world = World::new().await;
    let deep = |open: &str| open.repeat(60_000 / open.len());
    let name = |value: &str| format!(r#"{{"timezone": "UTC", "name": {value}}}"#);
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("deep arrays", deep("[").into(), 400, "malformed-json"),
        ("deep objects", deep("{\"a\":").into(), 422, "invalid-body"),
        ("deep value", name(&deep("[")).into(), 422, "invalid-body"),
        (
            "deep and closed",
            format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)).into(),
            422,
            "invalid-body",
        ),
        ("truncated", name("\"Sho")[..30].into(), 400, "malformed-json"),
        ("two documents", b"{\"name\": \"a\", \"timezone\": \"UTC\"} {}".to_vec(), 400, "malformed-json"),
        (
            "bad UTF-8",
            name("\"\u{0}\"")
                .replace('\0', "\u{fffd}")
                .into_bytes()
                .iter()
                .map(|b| if *b == 0xef { 0xff } else { *b })
                .collect(),
            400,
            "malformed-json",
        ),
        ("byte order mark", format!("\u{feff}{}", name("\"a\"")).into(), 400, "malformed-json"),
        ("lone surrogate", name("\"\\ud800\"").into(), 400, "malformed-json"),
        ("raw control character", name("\"a\nb\"").into(), 400, "malformed-json"),
        ("escaped control character", name("\"a\\u0000b\"").into(), 422, "invalid-body"),
        ("huge number", name("1e999").into(), 400, "malformed-json"),
        ("number for a name", name("1").into(), 422, "invalid-body"),
        ("null for a name", name("null").into(), 422, "invalid-body"),
        ("long name", name(&format!("\"{}\"", "n".repeat(201))).into(), 422, "invalid-body"),
        (
            "long time zone",
            json!({"name": "a", "timezone": "Z".repeat(60_000)}).to_string().into(),
            422,
            "invalid-body",
        ),
        (
            "time zone that climbs",
            json!({"name": "a", "timezone": "../../etc/passwd"}).to_string().into(),
            422,
            "invalid-body",
        ),
        (
            "many admissions",
            json!({"name": "a", "timezone": "UTC", "admits": vec!["app:"; 201]}).to_string().into(),
            422,
            "invalid-body",
        ),
        (
            "organization smuggled in",
            json!({"name": "a", "timezone": "UTC", "organization": "x"}).to_string().into(),
            422,
            "invalid-body",
        ),
        ("a field of a long name", format!("{{\"{}\": 1}}", "f".repeat(60_000)).into(), 422, "invalid-body"),
        (
            "long admission",
            json!({"name": "a", "timezone": "UTC", "admits": ["x".repeat(60_000)]}).to_string().into(),
            422,
            "invalid-body",
        ),
        ("a string", b"\"name\"".to_vec(), 422, "invalid-body"),
        ("white space", b" \r\n\t ".to_vec(), 400, "malformed-json"),
        ("not JSON at all", b"name=Shop&timezone=UTC".to_vec(), 400, "malformed-json"),
        ("a byte too many", vec![b' '; api::MAX_BODY_BYTES + 1], 413, "body-too-large"),
    ];
    for (case, body, status, slug) in cases {
        let answer = world.raw(&post(&world, &body)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{case}: {answer}");
        assert!(answer.contains(&format!("\"type\":\"/api/problems/{slug}\"")), "{case}: {answer}");
        assert!(
            answer.len() < 3_000,
            "{case}: an answer does not repeat what it was sent: {} bytes",
            answer.len()
        );
    }
    let after = world.get("/api/v1/venues").await;
    assert_eq!((after.status, after.json()["items"].as_array().map(Vec::len)), (200, Some(0)));
    world.stop().await;
}

#[tokio::test]
async fn hostile_heads() {
    let world = World::new().await;
    let of = |request: &str, headers: &str| format!("{}{headers}\r\n", head(&world, request)).into_bytes();
    let many = "X-A: b\r\n".repeat(200);
    let large = format!("X-A: {}\r\n", "b".repeat(300_000));
    let long = format!("GET /api/v1/venues?cursor={}", "a".repeat(20_000));
    let longest = format!("GET /api/v1/venues?cursor={}", "a".repeat(300_000));
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let both =
        "Content-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("not HTTP", b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd".to_vec(), &["HTTP/1.1 400", ""]),
        ("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".to_vec(), &["HTTP/1.1 400", ""]),
        ("no version", b"GET /\r\n\r\n".to_vec(), &["HTTP/1.1 400"]),
        ("HTTP/3", b"GET / HTTP/3.0\r\n\r\n".to_vec(), &["HTTP/1.1 400"]),
        ("bad header name", of("GET /api/v1/venues", "X Y: z\r\n"), &["HTTP/1.1 400"]),
        ("folded header", of("GET /api/v1/venues", "X-A: b\r\n c\r\n"), &["HTTP/1.1 400"]),
        ("many headers", of("GET /api/v1/venues", &many), &["HTTP/1.1 431"]),
        ("large header", of("GET /api/v1/venues", &large), &["HTTP/1.1 431"]),
        ("long cursor", of(&long, ""), &["HTTP/1.1 400"]),
        ("longer than a head", of(&longest, ""), &["HTTP/1.1 431", "HTTP/1.1 414"]),
        ("path that climbs", of("GET /api/v1/../../etc/passwd", ""), &["HTTP/1.1 404"]),
        ("encoded slash", of("GET /api/v1/venues%2f..", ""), &["HTTP/1.1 404"]),
        ("id that is none", of("GET /api/v1/venues/%00", ""), &["HTTP/1.1 404"]),
        ("id of bad UTF-8", of("GET /api/v1/venues/%ff", ""), &["HTTP/1.1 404"]),
        (
            "id in braces",
            of("GET /api/v1/venues/{01890a5d-ac96-774b-bcce-b302099a8057}", ""),
            &["HTTP/1.1 404"],
        ),
        ("query of bad UTF-8", of("GET /api/v1/venues?limit=%ff", ""), &["HTTP/1.1 400"]),
        ("negative limit", of("GET /api/v1/venues?limit=-1", ""), &["HTTP/1.1 400"]),
        (
            "limit past every number",
            of("GET /api/v1/venues?limit=99999999999999999999", ""),
            &["HTTP/1.1 400"],
        ),
        ("a limit over the limit", of("GET /api/v1/venues?limit=501", ""), &["HTTP/1.1 400"]),
        ("bad chunk", of("POST /api/v1/venues", chunked), &["HTTP/1.1 400"]),
        (
            "two lengths",
            of("POST /api/v1/venues", "Content-Length: 1\r\nContent-Length: 2\r\n"),
            &["HTTP/1.1 400"],
        ),
        ("length of a word", of("POST /api/v1/venues", "Content-Length: ten\r\n"), &["HTTP/1.1 400"]),
        ("length and chunks", of("POST /api/v1/venues", both), &["HTTP/1.1 400"]),
        (
            "asks before it sends too much",
            of(
                "POST /api/v1/venues",
                "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n",
            ),
            &["HTTP/1.1 413"],
        ),
        ("a method of its own", of("BREW /api/v1/venues", ""), &["HTTP/1.1 405"]),
        ("tunnel", of("CONNECT example.org:443", ""), &["HTTP/1.1 404", "HTTP/1.1 405", "HTTP/1.1 400"]),
        (
            "compressed",
            of(
                "POST /api/v1/venues",
                "Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
            ),
            &["HTTP/1.1 415", "HTTP/1.1 422"],
        ),
        (
            "form",
            of(
                "POST /api/v1/venues",
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n",
            ),
            &["HTTP/1.1 415"],
        ),
    ];
    for (case, request, starts) in cases {
        let answer = world.raw(&request).await;
        let expected =
            starts.iter().any(|start| answer.starts_with(start) && (!start.is_empty() || answer.is_empty()));
        assert!(expected, "{case}: {answer}");
        assert_eq!(world.get("/healthz").await.status, 200, "{case}");
    }
    world.stop().await;
}
