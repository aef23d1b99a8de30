//! TLS 1.3 in which each side knows the other by the pin of its certificate.

use crate::{Identity, Pin, Role, SessionError};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct,
    DistinguishedName, Error, OtherError, ServerConfig, ServerConnection, SignatureScheme,
    version::TLS13,
};
use std::sync::Arc;

/// How connections are protected.
#[derive(Clone)]
pub enum Security {
    /// Plain TCP: nobody is authenticated, and everything can be read on the wire, the pairwise
    /// seeds included. For one machine, or inside another protected network.
    Plain,
    /// TLS 1.3, both sides pinned.
    Tls(TlsSecurity),
}

impl Security {
    /// TLS 1.3 as `identity`, with the pins of the three parties in the order of their roles, and
    /// those of the clients that may connect to this party.
    ///
    /// # Errors
    /// [`SessionError::Certificate`] if the identity cannot be used.
    pub fn tls(
        identity: &Identity,
        parties: [Pin; 3],
        clients: Vec<Pin>,
    ) -> Result<Self, SessionError> {
        let provider = Arc::new(provider());
        let certified = identity
            .certified_key()
            .map_err(SessionError::certificate)?;
        let key = Arc::new(SingleCertAndKey::from(certified));
        let pins = parties.iter().chain(&clients).copied().collect();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(SessionError::certificate)?
            .with_client_cert_verifier(Arc::new(PinVerifier::new(pins, &provider)))
            .with_cert_resolver(Arc::clone(&key) as _);
        // Sessions are long and few: no tickets, which nobody would read.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self::Tls(TlsSecurity {
            own: identity.pin(),
            parties,
            clients: clients.into(),
            provider,
            key,
            server: Arc::new(server),
        }))
    }

    /// The server's side of a connection just accepted.
    pub(crate) fn accept(&self) -> Result<Option<Connection>, Error> {
        let Self::Tls(tls) = self else {
            return Ok(None);
        };
        Ok(Some(ServerConnection::new(Arc::clone(&tls.server))?.into()))
    }

    /// The client's side of a connection to `party`.
    pub(crate) fn connect(&self, party: Role) -> Result<Option<Connection>, Error> {
        let Self::Tls(tls) = self else {
            return Ok(None);
        };
        let verifier = PinVerifier::new(vec![tls.parties[party.index()]], &tls.provider);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&tls.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::clone(&tls.key) as _);
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        let name = ServerName::try_from("trefoil")
            .map_err(|_| Error::General("the name of the server".into()))?;
        Ok(Some(ClientConnection::new(Arc::new(config), name)?.into()))
    }
}

/// The material of [`Security::Tls`].
#[derive(Clone)]
pub struct TlsSecurity {
    own: Pin,
    parties: [Pin; 3],
    clients: Arc<[Pin]>,
    provider: Arc<CryptoProvider>,
    key: Arc<SingleCertAndKey>,
    server: Arc<ServerConfig>,
}

impl TlsSecurity {
    /// This side's pin.
    pub fn own(&self) -> Pin {
        self.own
    }

    /// The pins of the parties, in the order of their roles.
    pub fn parties(&self) -> &[Pin; 3] {
        &self.parties
    }

    /// The pins of the clients that may connect.
    pub fn clients(&self) -> &[Pin] {
        &self.clients
    }
}

/// For an HTTPS service that clients know by its pin: TLS 1.3 with the identity's certificate, no certificate of the client.
///
/// # Errors
/// [`SessionError::Certificate`] if the identity cannot be used.
pub fn https_server(identity: &Identity) -> Result<Arc<ServerConfig>, SessionError> {
    let certified = identity
        .certified_key()
        .map_err(SessionError::certificate)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(SessionError::certificate)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The other side of [`https_server`]: a server with any other certificate than the pinned one is refused.
///
/// # Errors
/// [`SessionError::Certificate`] if the provider does not offer TLS 1.3.
pub fn https_client(pin: Pin) -> Result<Arc<ClientConfig>, SessionError> {
    let provider = Arc::new(provider());
    let verifier = PinVerifier::new(vec![pin], &provider);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(SessionError::certificate)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whose pin a certificate does not have; travels inside TLS's error.
#[derive(Debug, thiserror::Error)]
#[error("the certificate's pin {presented} is not a pin set here")]
pub(crate) struct WrongPin {
    pub(crate) presented: Pin,
}

impl WrongPin {
    /// The presented pin, if this is why TLS failed.
    pub(crate) fn presented(error: &Error) -> Option<Pin> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref::<Self>().map(|wrong| wrong.presented)
            }
            _ => None,
        }
    }
}

/// The ring provider; AES-128 first, which is the fastest here and as strong as the protocols'
/// own security parameter.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    let aes128 = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != aes128.suite());
    provider
}

/// Accepts certificates by pin alone. That the peer has the key is still proved by the signature
/// of the handshake.
#[derive(Debug)]
struct PinVerifier {
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinVerifier {
    fn new(pins: Vec<Pin>, provider: &CryptoProvider) -> Self {
        Self {
            pins,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let presented = Pin::of(certificate);
        if self.pins.contains(&presented) {
            return Ok(());
        }
        let wrong = OtherError(Arc::new(WrongPin { presented }));
        Err(Error::InvalidCertificate(CertificateError::Other(wrong)))
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PinVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
