//! Whom to trust where the system has certificates in files, or none.
//!
//! Invariant: a system without certificates is told from one whose files cannot
//! be read, or not at the moment, and what the environment names is never replaced.

use std::{env, io, path::Path};

use rustls::{RootCertStore, pki_types::CertificateDer};

use super::Fault;
use crate::sink::http::Class;

/// What in the environment says where the certificates are; empty is unset.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The system's certificate authorities, or, if it has none and the environment
/// names none, those that are compiled in; and `more`.
pub(super) fn trusted(more: impl Iterator<Item = CertificateDer<'static>>) -> Result<RootCertStore, Fault> {
    let named = VARIABLES.into_iter().find(|name| env::var_os(name).is_some_and(|place| !place.is_empty()));
    chosen(of_the_system(named), named, more)
}

/// What was found in the places where certificates are.
#[derive(Default)]
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    /// A file that was not read, and why.
    unread: Vec<String>,
    /// The same, where there was no descriptor or memory for it: those come back.
    unread_now: Option<String>,
}

impl Found {
    fn unread(&mut self, path: &Path, error: &io::Error) {
        let what = format!("{}: {error}", path.display());
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => self.unread_now = Some(what),
            // The system's places differ.
            _ if error.kind() == io::ErrorKind::NotFound => (),
            _ => self.unread.push(what),
        }
    }
}

fn chosen(
    found: Found,
    named: Option<&str>,
    more: impl Iterator<Item = CertificateDer<'static>>,
) -> Result<RootCertStore, Fault> {
    if let Some(what) = found.unread_now {
        return Err((Class::NotProcessed, format!("the system's certificates cannot be read now: {what}")));
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certificates);
    let unread = found.unread.first().filter(|_| store.is_empty());
    #[cfg(feature = "bundled-roots")]
    if store.is_empty() && named.is_none() && unread.is_none() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store.add_parsable_certificates(more);
    if !store.is_empty() {
        return Ok(store);
    }
    let what = match (named, unread) {
        (Some(name), None) => {
            format!("{name} names no CA certificate: correct or unset it")
        }
        (Some(name), Some(unread)) => {
            format!("no CA certificate can be read where {name} says: correct or unset it; {unread}")
        }
        (None, Some(unread)) => format!("the system's certificates cannot be read: {unread}"),
        (None, None) => "this system has no certificates of authorities: install ca-certificates, set \
                         SSL_CERT_FILE, call root_certificate, or turn on the feature bundled-roots of \
                         tracing-alert"
            .to_owned(),
    };
    Err((Class::Misconfigured, what))
}

#[cfg(not(target_os = "android"))]
fn of_the_system(named: Option<&str>) -> Found {
    use rustls::pki_types::pem::PemObject;
    use rustls_native_certs::{ErrorKind, load_native_certs};

    let mut found = Found::default();
    // By an empty variable, it would look nowhere.
    if named.is_none() && VARIABLES.into_iter().any(|name| env::var_os(name).is_some()) {
        for path in FILES.map(Path::new) {
            match std::fs::read(path) {
                Ok(pem) => found.certificates.extend(CertificateDer::pem_slice_iter(&pem).flatten()),
                Err(error) => found.unread(path, &error),
            }
            if !found.certificates.is_empty() {
                break;
            }
        }
        return found;
    }
    let native = load_native_certs();
    found.certificates = native.certs;
    for error in native.errors {
        match error.kind {
            ErrorKind::Io { path, .. } if path.as_os_str().is_empty() => (),
            ErrorKind::Io { inner, path } => found.unread(&path, &inner),
            _ => (),
        }
    }
    found
}

/// They are the platform's own business, which asks for more than this crate has.
#[cfg(target_os = "android")]
fn of_the_system(_: Option<&str>) -> Found {
    Found::default()
}

/// Where systems keep all of them in one file: Debian, Fedora, openSUSE, Alpine and
/// OpenBSD, FreeBSD.
#[cfg(not(target_os = "android"))]
const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(found: Found, named: Option<&str>) -> Result<bool, Fault> {
        chosen(found, named, std::iter::empty()).map(|store| store.is_empty())
    }

    fn unread(code: i32) -> Found {
        let mut found = Found::default();
        found.unread(Path::new("/etc/ssl/cert.pem"), &io::Error::from_raw_os_error(code));
        found
    }

    #[test]
    fn a_file_that_may_not_be_read_is_named_and_is_not_none() {
        for (named, whose) in
            [(None, "the system's certificates"), (Some("SSL_CERT_DIR"), "SSL_CERT_DIR says")]
        {
            let (class, what) = kind(unread(libc::EACCES), named).unwrap_err();
            assert_eq!(class, Class::Misconfigured);
            assert!(what.contains(whose) && what.contains("/etc/ssl/cert.pem: Permission denied"), "{what}");
        }
        let (class, _) = kind(unread(libc::EMFILE), None).unwrap_err();
        assert_eq!(class, Class::NotProcessed);
    }

    #[test]
    fn where_there_is_none_the_bundled_ones_are_taken_unless_others_are_named() {
        let none = kind(unread(libc::ENOENT), None);
        assert_eq!(none.is_ok(), cfg!(feature = "bundled-roots"), "{none:?}");
        assert!(kind(unread(libc::ENOENT), Some("SSL_CERT_FILE")).is_err());
    }

    #[test]
    fn of_several_files_the_readable_ones_count() {
        let authority = rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap();
        let found = Found { certificates: vec![authority.cert.der().clone()], ..unread(libc::EACCES) };
        assert_eq!(kind(found, Some("SSL_CERT_DIR")), Ok(false));
    }
}
