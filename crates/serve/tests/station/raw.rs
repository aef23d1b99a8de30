//! HTTPS by hand: what whoever can split numbers and speak HTTPS can do, and every byte that comes back.

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use trefoil_net::{Pin, https_client};

/// What a party answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// All of it.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The problem document's code.
    pub(crate) fn code(&self) -> String {
        let document: serde_json::Value =
            serde_json::from_slice(&self.body).expect("a problem document");
        assert!(
            self.head
                .to_lowercase()
                .contains("application/problem+json"),
            "{}",
            self.head
        );
        assert_eq!(document["status"], self.status);
        let detail = document["detail"].as_str().expect("a sentence");
        assert!(detail.len() > 20, "{detail}");
        document["code"].as_str().expect("a code").to_owned()
    }
}

/// One request over a connection of its own.
pub(crate) fn call(address: &str, pin: Pin, token: &str, request: &str, body: &[u8]) -> Answer {
    let length = format!("Content-Length: {}\r\n", body.len());
    call_with(address, pin, token, request, &length, body)
}

/// The same with this line in the place of the body's length.
pub(crate) fn call_with(
    address: &str,
    pin: Pin,
    token: &str,
    request: &str,
    length: &str,
    body: &[u8],
) -> Answer {
    let socket = TcpStream::connect(address).expect("a party");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a socket");
    let tls = https_client(pin).expect("TLS");
    let name = ServerName::try_from("trefoil").expect("a name");
    let connection = ClientConnection::new(tls, name).expect("TLS");
    let mut stream = StreamOwned::new(connection, socket);
    let authorization = if token.is_empty() {
        String::new()
    } else {
        format!("Authorization: Bearer {token}\r\n")
    };
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: party\r\n{authorization}{length}Connection: close\r\n\r\n"
    )
    .expect("room");
    // Who is refused early may not take all of it.
    let _ = stream.write_all(body).and_then(|()| stream.flush());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    let body = bytes[end + 4..].to_vec();
    Answer {
        status,
        head,
        body,
        bytes,
    }
}
