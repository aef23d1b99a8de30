//! One party's HTTPS interface, as an owner or a user calls it.

use super::CallerError;
use crate::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use trefoil_net::{Pin, Role, https_client};

/// Largest answer: shares of a large output fit.
const ANSWER_LIMIT: usize = 1 << 30;

/// The way to one party.
pub(super) struct Line {
    pub(super) role: Role,
    /// `HOST:PORT`.
    address: String,
    tls: TlsConnector,
    token: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What is asked for.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Vec<u8>,
}

impl Line {
    pub(super) fn new(role: Role, url: &str, pin: Pin, token: &str) -> Result<Self, CallerError> {
        let address = url
            .strip_prefix("https://")
            .map(|rest| rest.trim_end_matches('/'));
        let address = address.filter(|rest| rest.contains(':') && !rest.contains('/'));
        let wrong = || CallerError::Url {
            role,
            url: url.to_owned(),
        };
        Ok(Self {
            role,
            address: address.ok_or_else(wrong)?.to_owned(),
            tls: TlsConnector::from(https_client(pin).map_err(crate::ServeError::from)?),
            token: token.to_owned(),
            sender: None,
        })
    }

    /// Call, and again over a new connection if the one there was has ended: every call may be repeated.
    pub(super) async fn call(
        &mut self,
        call: &Call<'_>,
        time: Duration,
    ) -> Result<Bytes, CallerError> {
        let reused = self.sender.is_some();
        let first = self.call_once(call, time).await;
        match first {
            Err(CallerError::Unreachable { .. }) if reused => {
                self.sender = None;
                self.call_once(call, time).await
            }
            other => other,
        }
    }

    async fn call_once(&mut self, call: &Call<'_>, time: Duration) -> Result<Bytes, CallerError> {
        let late = format!("no answer within {time:.1?}");
        let called = tokio::time::timeout(time, self.exchange(call)).await;
        let (role, address) = (self.role, self.address.clone());
        let lost = |reason| CallerError::Unreachable {
            role,
            address,
            reason,
        };
        let (status, body) = match called {
            Ok(Ok(answer)) => answer,
            Ok(Err(reason)) => {
                self.sender = None;
                return Err(lost(reason));
            }
            Err(_) => {
                self.sender = None;
                return Err(lost(late));
            }
        };
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let problem = serde_json::from_slice::<Problem>(&body);
        let problem = problem.map_err(|_| {
            lost(format!(
                "status {status} without a problem document: is this a party?"
            ))
        })?;
        Err(CallerError::Refused { role, problem })
    }

    async fn exchange(&mut self, call: &Call<'_>) -> Result<(u16, Bytes), String> {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.sender = Some(self.connect().await?);
        }
        let Some(sender) = &mut self.sender else {
            return Err("no connection".into());
        };
        sender.ready().await.map_err(|error| error.to_string())?;
        let request = Request::builder()
            .method(call.method.clone())
            .uri(call.path)
            .header(header::HOST, &self.address)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(call.body.clone())))
            .map_err(|error| error.to_string())?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
            .collect()
            .await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let socket = TcpStream::connect(&self.address)
            .await
            .map_err(|error| error.to_string())?;
        socket
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        // Known by its pin: the name in the certificate says nothing.
        let name = ServerName::try_from("trefoil").map_err(|error| error.to_string())?;
        let stream = self
            .tls
            .connect(name, socket)
            .await
            .map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            // How it ends shows at the next call.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// The same for all three, side by side; the answers by role.
pub(super) async fn all(
    lines: &mut [Line; 3],
    calls: [Call<'_>; 3],
    time: Duration,
) -> [Result<Bytes, CallerError>; 3] {
    let [first, second, third] = lines;
    let [a, b, c] = &calls;
    let (a, b, c) = tokio::join!(
        first.call(a, time),
        second.call(b, time),
        third.call(c, time)
    );
    [a, b, c]
}

/// The three ways by role.
pub(super) fn lines(contacts: &[super::files::Contact; 3]) -> Result<[Line; 3], CallerError> {
    let line = |role: Role| {
        let contact = &contacts[role.index()];
        Line::new(role, &contact.url, contact.pin, &contact.token)
    };
    Ok([line(Role::P0)?, line(Role::P1)?, line(Role::P2)?])
}
