//! Certificates with a fault, each at a server of its own, and what is told of it.

use super::*;

#[test]
fn the_words_of_each_systems_library_are_known() {
    for (theirs, distrust) in [
        ("SSL routines:certificate verify failed: (certificate has expired)", Distrust::Expired),
        ("certificate verify failed: (certificate is not yet valid)", Distrust::NotYetValid),
        ("certificate verify failed: (hostname mismatch)", Distrust::OtherName),
        ("certificate verify failed: (IP address mismatch)", Distrust::OtherName),
        ("certificate verify failed: (certificate revoked)", Distrust::Revoked),
        ("certificate verify failed: (self-signed certificate in certificate chain)", Distrust::NoAuthority),
        ("certificate verify failed: (unsuitable certificate purpose)", Distrust::Other),
        ("“wrong.host” certificate name does not match input", Distrust::OtherName),
        ("Ein erforderliches Zertifikat ist abgelaufen. (os error -2146762495)", Distrust::Expired),
    ] {
        assert_eq!(Distrust::by_text(theirs), Some(distrust), "{theirs}");
    }
    assert_eq!(Distrust::by_text("tcp connect error: Connection refused (os error 111)"), None);
    assert_eq!(Distrust::by_text("received fatal alert: CertificateExpired"), None);
}

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls"))]
#[cfg(not(windows))]
mod at_a_server {
    use std::{net::TcpListener, sync::Arc};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, crypto::ring, pki_types::PrivateKeyDer};

    use crate::{
        policy::send_error::SendError,
        sink::http::{Connection, Http, Scrub},
    };

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        // OpenSSL takes a certificate whose issuer has its own name for self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// What is told of a server whose certificate has `change` in it, and whose
    /// authority is trusted if it `is_known`.
    async fn told(change: impl FnOnce(&mut CertificateParams), is_known: bool) -> String {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut server = ServerConnection::new(Arc::new(config)).unwrap();
            // The client leaves.
            while server.is_handshaking() && server.complete_io(&mut stream).is_ok() {}
        });
        let mut connection = Connection::new(&format!("https://{address}"));
        let trusted = if is_known { authority.pem() } else { self::authority().pem() };
        connection.roots.push(trusted.into_bytes());
        let http = Http::new("Test", connection);
        let url = format!("https://{address}");
        let error = http.exchange(&Scrub::default(), |client| client.get(url)).await.unwrap_err();
        server.join().unwrap();
        let SendError::Misconfigured { reason } = error else { panic!("{error:?}") };
        reason.replace(&address.to_string(), "HOST")
    }

    /// What is told of a date by a library that tells it.
    fn date(text: &str) -> &str {
        let is_told = cfg!(feature = "rustls-no-provider") && !cfg!(target_vendor = "apple");
        if is_told { text } else { "" }
    }

    #[tokio::test]
    async fn each_fault_of_a_certificate_is_told_as_it_is() {
        let expired = told(|it| it.not_after = date_time_ymd(2020, 1, 1), true).await;
        assert!(
            expired.starts_with(&format!(
                "Test: the certificate of HOST has expired{}: is this machine's clock",
                date(", on 2020-01-01")
            )),
            "{expired}"
        );
        let early = told(|it| it.not_before = date_time_ymd(2999, 1, 1), true).await;
        assert!(
            early.starts_with(&format!(
                "Test: the certificate of HOST is not valid yet{}: is this machine's",
                date(", only from 2999-01-01")
            )),
            "{early}"
        );
        let other = CertificateParams::new(["other.example".to_owned()]).unwrap().subject_alt_names;
        let other = told(|it| it.subject_alt_names = other, true).await;
        assert!(
            other.starts_with("Test: the certificate of HOST is for another host: is the base URL"),
            "{other}"
        );
        let unknown = told(|_| (), false).await;
        assert!(
            unknown.starts_with("Test: no trust in the certificate of HOST; is its authority"),
            "{unknown}"
        );
    }
}
