//! Self-signed identities, and the pins by which parties and clients know each other.

use crate::SessionError;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A certificate with its Ed25519 key. No `Debug`; the key is wiped when dropped.
///
/// Nothing in the certificate is trusted but its key: peers compare its [`Pin`].
#[derive(Clone)]
pub struct Identity {
    name: String,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: Zeroizing<String>,
    /// PKCS #8.
    key: Zeroizing<Vec<u8>>,
}

impl Identity {
    /// A fresh identity. `name` (such as `party0`) becomes the certificate's subject and the stem
    /// of its files: letters, digits, `-`, `_`.
    ///
    /// # Errors
    /// [`SessionError::Certificate`] for another name, or without a source of randomness.
    pub fn generate(name: &str) -> Result<Self, SessionError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let reason = format!("`{name}` is no name: use 1 to 64 letters, digits, `-` or `_`");
            return Err(SessionError::certificate(reason));
        }
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(SessionError::certificate)?;
        let pair = Zeroizing::new(pair);
        let mut params =
            CertificateParams::new(vec![name.to_owned()]).map_err(SessionError::certificate)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params
            .self_signed(&*pair)
            .map_err(SessionError::certificate)?;
        Ok(Self {
            name: name.to_owned(),
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(pair.serialize_pem()),
            key: Zeroizing::new(pair.serialize_der()),
        })
    }

    /// Writes `NAME.crt` and `NAME.key` (readable by the owner alone) into the folder `into`, and
    /// says where.
    ///
    /// # Errors
    /// [`SessionError::Identity`] if a file cannot be written or exists: an identity in use is
    /// never overwritten. Nothing is left half done.
    pub fn save(&self, into: &Path) -> Result<(PathBuf, PathBuf), SessionError> {
        let certificate = into.join(format!("{}.crt", self.name));
        let key = into.join(format!("{}.key", self.name));
        create(&certificate, 0o644, self.certificate_pem.as_bytes())?;
        if let Err(error) = create(&key, 0o600, self.key_pem.as_bytes()) {
            // Only the certificate that was written just now.
            let _ = fs::remove_file(&certificate);
            return Err(error);
        }
        Ok((certificate, key))
    }

    /// Reads the PEM files of an identity.
    ///
    /// # Errors
    /// [`SessionError::Identity`] if a file is missing or malformed, if others may read the key
    /// file, or if the key is not that of the certificate.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, SessionError> {
        let certificate_pem = fs::read_to_string(certificate)
            .map_err(|error| SessionError::identity(certificate, error))?;
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| SessionError::identity(certificate, error))?;
        let key_error = |reason: &dyn ToString| SessionError::identity(key, reason.to_string());
        let mode = fs::metadata(key).map_err(|error| key_error(&error))?.mode();
        if mode & 0o077 != 0 {
            let mode = mode & 0o777;
            return Err(key_error(&format!(
                "others may read this private key (mode {mode:03o}): chmod 600 it"
            )));
        }
        let key_pem = Zeroizing::new(fs::read_to_string(key).map_err(|error| key_error(&error))?);
        let key_der = PrivatePkcs8KeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|error| key_error(&error))?;
        let identity = Self {
            name: certificate
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            certificate: der,
            certificate_pem,
            key: Zeroizing::new(key_der.secret_pkcs8_der().to_vec()),
            key_pem,
        };
        zeroize::Zeroize::zeroize(&mut PrivateKeyDer::Pkcs8(key_der));
        identity
            .certified_key()
            .map_err(|error| key_error(&error))?;
        Ok(identity)
    }

    /// The stem of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What peers know this identity by.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate)
    }

    /// For TLS; fails if the key is not that of the certificate.
    pub(crate) fn certified_key(&self) -> Result<CertifiedKey, rustls::Error> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.as_slice()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
        let certified = CertifiedKey::new(vec![self.certificate.clone()], Arc::clone(&key));
        certified.keys_match()?;
        Ok(certified)
    }
}

fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), SessionError> {
    let open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = open.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => SessionError::identity(
            path,
            "exists already and is not overwritten: move it away or choose another folder",
        ),
        _ => SessionError::identity(path, error),
    })?;
    let written = file.write_all(content).and_then(|()| File::sync_all(&file));
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        SessionError::identity(path, error)
    })
}

/// SHA-256 of a certificate's DER bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate given as DER.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        let mut pin = [0; 32];
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        pin.copy_from_slice(digest.as_ref());
        Self(pin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// A text that is not a [`Pin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a pin: 64 hexadecimal digits, the SHA-256 of a certificate")]
pub struct PinParseError {
    given: String,
}

impl FromStr for Pin {
    type Err = PinParseError;

    fn from_str(text: &str) -> Result<Self, PinParseError> {
        let error = || PinParseError {
            given: text.to_owned(),
        };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(error());
        }
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            let mut value = 0;
            for &digit in pair {
                value = value * 16 + char::from(digit).to_digit(16).ok_or_else(error)? as u8;
            }
            *byte = value;
        }
        Ok(Self(pin))
    }
}

impl TryFrom<String> for Pin {
    type Error = PinParseError;

    fn try_from(text: String) -> Result<Self, PinParseError> {
        text.parse()
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_identity_survives_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::generate("party0").unwrap();
        let (certificate, key) = identity.save(folder.path()).unwrap();
        assert!(certificate.ends_with("party0.crt") && key.ends_with("party0.key"));
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        let loaded = Identity::load(&certificate, &key).unwrap();
        assert_eq!(loaded.pin(), identity.pin());
        assert_eq!(loaded.name(), "party0");
        assert_ne!(Identity::generate("party0").unwrap().pin(), identity.pin());
    }

    #[test]
    fn files_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let old = Identity::generate("party1").unwrap();
        let (certificate, key) = old.save(folder.path()).unwrap();
        let fresh = Identity::generate("party1").unwrap();
        let error = fresh.save(folder.path()).err().unwrap();
        assert!(error.to_string().contains("not overwritten"), "{error}");
        // Also where only the key is left; then no certificate appears beside it.
        fs::remove_file(&certificate).unwrap();
        assert!(fresh.save(folder.path()).is_err());
        assert!(!certificate.exists() && key.exists());
    }

    #[test]
    fn bad_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let one = Identity::generate("one")
            .unwrap()
            .save(folder.path())
            .unwrap();
        let two = Identity::generate("two")
            .unwrap()
            .save(folder.path())
            .unwrap();
        let text = |result: Result<Identity, SessionError>| result.err().unwrap().to_string();
        assert!(text(Identity::load(&one.0, &two.1)).contains("two.key"));
        assert!(text(Identity::load(&one.1, &one.1)).contains("one.key"));
        assert!(text(Identity::load(&folder.path().join("no.crt"), &one.1)).contains("no.crt"));
        fs::set_permissions(&one.1, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(text(Identity::load(&one.0, &one.1)).contains("chmod 600"));
        assert!(Identity::generate("../party").is_err());
    }

    #[test]
    fn pins_are_hexadecimal() {
        let pin = Identity::generate("a").unwrap().pin();
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!(pin.to_string().to_uppercase().parse(), Ok(pin));
        // Known answer: SHA-256 of nothing.
        assert!(
            Pin::of(b"")
                .to_string()
                .starts_with("e3b0c44298fc1c149afbf4c8996fb924")
        );
        for wrong in [
            "",
            "00",
            &"0".repeat(63),
            &"g".repeat(64),
            &"é".repeat(32),
            &"+1".repeat(32),
        ] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }
}
