//! What each feature makes of https; CI runs them with each.

use super::*;

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
#[test]
#[cfg(not(windows))]
fn no_default_of_the_process_is_needed_or_installed() {
    for needs_tls in [true, false] {
        set_up(reqwest::Client::builder(), needs_tls, &[]).unwrap().build().unwrap();
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[cfg(feature = "native-tls")]
#[test]
fn the_systems_library_is_enough() {
    for needs_tls in [true, false] {
        by_native_tls::set_up(reqwest::Client::builder(), needs_tls, &[]).unwrap().build().unwrap();
    }
}

#[cfg(all(
    feature = "rustls-no-provider",
    not(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls"))
))]
#[test]
fn without_a_provider_it_is_said_how_to_have_one() {
    for needs_tls in [true, false] {
        let (class, what) = set_up(reqwest::Client::builder(), needs_tls, &[]).unwrap_err();
        assert_eq!(class, Class::Misconfigured);
        assert!(
            what.starts_with("no crypto provider of rustls is installed: call install_default"),
            "{what}"
        );
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[cfg(not(any(feature = "rustls-no-provider", feature = "native-tls")))]
#[test]
fn without_tls_it_is_said_how_to_have_it() {
    let (class, what) = set_up(reqwest::Client::builder(), true, &[]).unwrap_err();
    assert_eq!((class, what), (Class::Misconfigured, format!("no TLS is compiled in: {MEND}")));
    set_up(reqwest::Client::builder(), false, &[]).unwrap().build().unwrap();
    assert!(root_fault(b"").is_some());
}

#[cfg(any(feature = "rustls-no-provider", feature = "native-tls"))]
#[test]
fn a_root_is_one_or_more_certificates_in_pem() {
    let authority = || rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap().cert.pem();
    assert_eq!(root_fault(authority().as_bytes()), None);
    assert_eq!(root_fault(format!("# two\n{}{}", authority(), authority()).as_bytes()), None);
    let cut = authority().replace("MII", "MI");
    for bad in ["", "hunter2", cut.as_str(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        assert!(root_fault(bad.as_bytes()).is_some(), "{bad}");
    }
}
