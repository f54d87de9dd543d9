//! Whether QEMU would take the certificates of its servers: what `qcrypto_tls_creds_x509_sanity_check` of QEMU 10.0 (read
//! 2026-11-28) looks at before a guest starts. What is not sure is not said.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

/// The texts of a server's files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    /// `ca-cert.pem`, which may have several.
    pub authorities: &'a [u8],
    /// `server-cert.pem`.
    pub own: &'a [u8],
    /// `server-key.pem`.
    pub key: &'a [u8],
}

/// Why QEMU refuses these files at this time; `None` where nothing speaks against them.
pub(super) fn refused(files: Files<'_>, now: UnixTime) -> Option<String> {
    let read = |pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let (Ok(authorities), Ok(own)) = (read(files.authorities), read(files.own)) else {
        return Some("a certificate cannot be read".to_owned());
    };
    if authorities.is_empty() {
        return Some("ca-cert.pem has no certificate".to_owned());
    }
    let Some((first, intermediates)) = own.split_first() else {
        return Some("server-cert.pem has no certificate".to_owned());
    };
    if let Some(why) = authorities.iter().find_map(|authority| wrong_authority(authority, now)) {
        return Some(format!("ca-cert.pem {why}"));
    }
    if let Some(why) = verified(first, intermediates, &authorities, now).err().and_then(|error| words(&error)) {
        return Some(format!("server-cert.pem {why}"));
    }
    let key = PrivateKeyDer::from_pem_slice(files.key).ok()?;
    let signer = ring::sign::any_supported_type(&key).ok()?;
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    let matched = CertifiedKey::new(own.clone(), signer).keys_match();
    (matched == Err(mismatch)).then(|| "server-key.pem is not the key of server-cert.pem".to_owned())
}

/// What is wrong with a certificate as an authority's.
fn wrong_authority(authority: &CertificateDer<'_>, now: UnixTime) -> Option<&'static str> {
    match verified(authority, &[], std::slice::from_ref(authority), now) {
        // It passes for a server's.
        Ok(()) => Some("is no authority's"),
        Err(Error::CaUsedAsEndEntity | Error::UnknownIssuer) => None,
        Err(error) => words(&error),
    }
}

fn verified(
    own: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Error> {
    let anchors = authorities.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>()?;
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let usage = KeyUsage::server_auth();
    let own = EndEntityCert::try_from(own)?;
    own.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None).map(drop)
}

/// The error in words, as far as GnuTLS is of one mind with this library.
fn words(error: &Error) -> Option<&'static str> {
    match error {
        Error::CertExpired { .. } => Some("has expired"),
        Error::CertNotValidYet { .. } => Some("is not valid yet"),
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Some("is not signed by ca-cert.pem"),
        Error::CaUsedAsEndEntity => Some("is an authority's"),
        Error::BadDer | Error::TrailingData(_) => Some("cannot be read"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    macro_rules! pem {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/fixtures/tls/", $name, ".pem")).as_slice()
        };
    }

    #[test]
    fn what_qemu_refuses_is_told_by_its_reason() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_824_000)); // 2026-11-28
        let (ca, good, key) = (pem!("ca-cert"), pem!("good-cert"), pem!("good-key"));
        let two = [pem!("other-cert"), ca].concat();
        let damaged = b"-----BEGIN CERTIFICATE-----\nMIIBszCCAWWg\n-----END CERTIFICATE-----\n".as_slice();
        for (authorities, own, key, why) in [
            (ca, good, key, None),
            (two.as_slice(), good, key, None),
            (ca, good, b"-----BEGIN ENCRYPTED PRIVATE KEY-----".as_slice(), None),
            (ca, pem!("expired-cert"), key, Some("server-cert.pem has expired")),
            (ca, pem!("future-cert"), key, Some("server-cert.pem is not valid yet")),
            (pem!("other-cert"), good, key, Some("server-cert.pem is not signed by ca-cert.pem")),
            (ca, ca, key, Some("server-cert.pem is an authority's")),
            (pem!("expiredca-cert"), good, key, Some("ca-cert.pem has expired")),
            (pem!("plainca-cert"), good, key, Some("ca-cert.pem is no authority's")),
            (b"".as_slice(), good, key, Some("ca-cert.pem has no certificate")),
            (ca, b"x".as_slice(), key, Some("server-cert.pem has no certificate")),
            (ca, &good[..300], key, Some("a certificate cannot be read")),
            (ca, damaged, key, Some("server-cert.pem cannot be read")),
            (damaged, good, key, Some("ca-cert.pem cannot be read")),
            (ca, good, pem!("other-key"), Some("server-key.pem is not the key of server-cert.pem")),
        ] {
            assert_eq!(refused(Files { authorities, own, key }, now).as_deref(), why);
        }
    }
}
