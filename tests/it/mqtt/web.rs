//! WebSocket by hand (RFC 6455), as far as MQTT needs it.

use std::io;

use anyhow::Context;

use super::socket::Socket;

/// What a frame is.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// The request with which a client asks for a WebSocket.
pub(crate) fn request(path: &str, subprotocol: Option<&str>) -> String {
    let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

/// Reads the server's answer up to the empty line.
pub(crate) async fn answer(socket: &mut Socket) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).await.context("closed within the answer")?;
        head.extend(byte);
    }
    Ok(String::from_utf8(head)?)
}

/// The status of an answer.
pub(crate) fn status(head: &str) -> anyhow::Result<u16> {
    let word = head.split(' ').nth(1).context("no status")?;
    word.parse().context("no status")
}

/// A frame as a client sends it: masked, with a key of zeros (section 5.3), so that its bytes stay as they are. The highest
/// bit of the length says so.
pub(crate) fn frame(kind: u8, is_last: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind | (u8::from(is_last) << 7)];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0xFE);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0xFF);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The next frame of the server: what it is, and what is in it.
pub(crate) async fn read_frame(socket: &mut Socket) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await?;
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            socket.read_exact(&mut length).await?;
            u64::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            socket.read_exact(&mut length).await?;
            u64::from_be_bytes(length)
        }
        masked @ 128.. => return Err(io::Error::other(format!("a server must not mask: {masked:#x}"))),
        length => u64::from(length),
    };
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await?;
    Ok((head[0] & 0x0F, payload))
}
