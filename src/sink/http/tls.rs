//! Whom TLS trusts, and which library speaks it: what the crate's features say.
//!
//! Invariant: depends on no process-wide default but by the feature
//! `rustls-no-provider`, installs none, and panics for want of none.

use reqwest::ClientBuilder;

use super::Class;

/// Whether https can be spoken at all.
pub(super) const IS_COMPILED_IN: bool = cfg!(any(feature = "rustls-no-provider", feature = "native-tls"));

/// How to have TLS.
pub(super) const MEND: &str = "turn on the feature rustls-ring of tracing-alert, or another one for TLS";

/// Why rustls cannot be used, and how it can be.
pub(super) const NO_PROVIDER: &str = "no crypto provider of rustls is installed: call install_default of one as the program begins, or turn \
     on the feature rustls-ring of tracing-alert";

/// Whether an answer has the certificate of whoever gave it: the command looks at that.
#[cfg(any(feature = "rustls-no-provider", feature = "native-tls"))]
const KEEPS_CERTIFICATE: bool = cfg!(feature = "cli");

/// The certificate of whoever gave an answer, in DER.
#[cfg(all(feature = "cli", any(feature = "rustls-no-provider", feature = "native-tls")))]
pub(super) fn certificate(response: &reqwest::Response) -> Option<&[u8]> {
    response.extensions().get::<reqwest::tls::TlsInfo>()?.peer_certificate()
}

#[cfg(all(feature = "cli", not(any(feature = "rustls-no-provider", feature = "native-tls"))))]
pub(super) fn certificate(_: &reqwest::Response) -> Option<&[u8]> {
    None
}

/// Why TLS cannot be set up.
pub(super) type Fault = (Class, String);

/// Sets up `builder` for connections that need TLS or, by `needs_tls`, do not: for
/// these, no certificate is read.
///
/// # Errors
///
/// If there is no TLS, no provider of cryptography for it, or nobody to trust.
#[cfg_attr(
    not(any(feature = "rustls-no-provider", feature = "native-tls")),
    expect(unused_variables, reason = "there is nobody who could trust")
)]
pub(super) fn set_up(
    builder: ClientBuilder,
    needs_tls: bool,
    roots: &[Vec<u8>],
) -> Result<ClientBuilder, Fault> {
    #[cfg(feature = "rustls-no-provider")]
    if let Some(provider) = by_rustls::provider() {
        return by_rustls::set_up(builder, provider, needs_tls, roots);
    }
    #[cfg(feature = "native-tls")]
    {
        by_native_tls::set_up(builder, needs_tls, roots)
    }
    #[cfg(not(feature = "native-tls"))]
    if IS_COMPILED_IN {
        Err((Class::Misconfigured, NO_PROVIDER.to_owned()))
    } else if needs_tls {
        Err((Class::Misconfigured, format!("no TLS is compiled in: {MEND}")))
    } else {
        Ok(builder)
    }
}

/// What is wrong with a certificate authority in PEM.
pub(super) fn root_fault(pem: &[u8]) -> Option<&'static str> {
    if !IS_COMPILED_IN {
        return Some("cannot be used, as no TLS is compiled in");
    }
    #[cfg(feature = "rustls-no-provider")]
    let is_sound = by_rustls::certificates(pem).is_some();
    #[cfg(all(feature = "native-tls", not(feature = "rustls-no-provider")))]
    let is_sound = by_native_tls::certificates(pem).is_some();
    #[cfg(not(any(feature = "native-tls", feature = "rustls-no-provider")))]
    let is_sound = pem.is_empty();
    (!is_sound).then_some("has no certificate in PEM form")
}

#[cfg(feature = "rustls-no-provider")]
mod by_rustls {
    use std::sync::Arc;

    use reqwest::ClientBuilder;
    use rustls::{
        ClientConfig, RootCertStore,
        crypto::CryptoProvider,
        pki_types::{CertificateDer, pem::PemObject},
    };

    use super::{Fault, KEEPS_CERTIFICATE};
    use crate::sink::http::Class;

    /// The provider of the first feature that names one, else the process's.
    pub(super) fn provider() -> Option<Arc<CryptoProvider>> {
        #[cfg(feature = "rustls-ring")]
        {
            Some(Arc::new(rustls::crypto::ring::default_provider()))
        }
        #[cfg(all(feature = "rustls-aws-lc", not(feature = "rustls-ring")))]
        {
            Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        }
        #[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc")))]
        CryptoProvider::get_default().cloned()
    }

    pub(super) fn set_up(
        builder: ClientBuilder,
        provider: Arc<CryptoProvider>,
        needs_tls: bool,
        roots: &[Vec<u8>],
    ) -> Result<ClientBuilder, Fault> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                (Class::Misconfigured, format!("the crypto provider cannot be used: {error}"))
            })?;
        let roots = roots.iter().filter_map(|pem| certificates(pem)).flatten();
        let config = if !needs_tls {
            config.with_root_certificates(RootCertStore::empty())
        } else {
            #[cfg(any(windows, target_vendor = "apple"))]
            {
                let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider)
                    .map_err(|error| (Class::NotProcessed, format!("the system's certificates: {error}")))?;
                config.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            #[cfg(not(any(windows, target_vendor = "apple")))]
            config.with_root_certificates(super::roots::trusted(roots)?)
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(builder.tls_backend_preconfigured(config).tls_info(KEEPS_CERTIFICATE))
    }

    /// The certificates of a PEM, if there is at least one, and each can be
    /// trusted.
    pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
        let is_sound =
            |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
        (!certificates.is_empty() && certificates.iter().all(is_sound)).then_some(certificates)
    }
}

#[cfg(all(feature = "rustls-no-provider", not(any(windows, target_vendor = "apple"))))]
mod roots;

#[cfg(feature = "native-tls")]
mod by_native_tls {
    use reqwest::{Certificate, ClientBuilder};

    use super::{Fault, KEEPS_CERTIFICATE};

    pub(super) fn set_up(
        builder: ClientBuilder,
        needs_tls: bool,
        roots: &[Vec<u8>],
    ) -> Result<ClientBuilder, Fault> {
        let builder = builder.tls_backend_native().tls_info(KEEPS_CERTIFICATE);
        if !needs_tls {
            return Ok(builder.tls_certs_only([]));
        }
        let roots = roots.iter().filter_map(|pem| certificates(pem)).flatten();
        Ok(builder.tls_certs_merge(roots))
    }

    /// The certificates of a PEM, if there is at least one.
    pub(super) fn certificates(pem: &[u8]) -> Option<Vec<Certificate>> {
        Certificate::from_pem_bundle(pem).ok().filter(|certificates| !certificates.is_empty())
    }
}

#[cfg(test)]
mod tests;
