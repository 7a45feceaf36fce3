//! Mail goes out by SMTP (RFC 5321).

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::browser::Browser;
use crate::world::{ISSUER, World};

/// A server that takes one mail. Gives where it listens, and what it was told.
async fn mail_server() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let told = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail.example\r\n").await.unwrap();
        let (mut all, mut is_body) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap() == 0 {
                return all;
            }
            all.push_str(&line);
            let answer: &[u8] = match line.trim_end() {
                "." => b"250 taken\r\n",
                _ if is_body => continue,
                "DATA" => b"354 go on\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 well\r\n",
            };
            is_body = answer.starts_with(b"354");
            stream.write_all(answer).await.unwrap();
        }
    });
    (url, told)
}

#[tokio::test]
async fn a_link_reaches_its_person() {
    let (url, told) = mail_server().await;
    let world = World::with(|config| {
        (config.mail.smtp, config.mail.folder) = (Some(url), None);
        config.mail.from = "Shop <noreply@shop.example>".to_owned();
    })
    .await;
    world.account("ann@example.com").await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/reset").await.form("/reset");
    browser.submit(&form, &[("email", "Ann@example.com")]).await.assert_ok();
    world.identity.settled().await;

    let told = told.await.unwrap();
    assert!(told.contains("MAIL FROM:<noreply@shop.example>"), "{told}");
    assert!(told.contains("RCPT TO:<ann@example.com>"), "as the account has it: {told}");
    assert!(told.replace("=\r\n", "").contains(&format!("{ISSUER}/reset/password?token=3Dol_")), "{told}");
}
