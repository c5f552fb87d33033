//! Where a fleet's URL leads to, and what keeps it from being used.

use super::*;

fn options(url: &str) -> PgConnectOptions {
    FleetSettings::new(Secret::new(url), "tracing_alert".to_owned(), None).options().unwrap()
}

fn fault(url: &str) -> Option<Fault> {
    FleetSettings::fault(&Secret::new(url))
}

#[test]
fn a_url_becomes_a_connection_that_a_pooler_takes() {
    let options = options("postgres://alerts:hunter2@127.0.0.1:6432/shop?application_name=of-the-url");
    assert_eq!((options.get_host(), options.get_port()), ("127.0.0.1", 6432));
    assert_eq!((options.get_username(), options.get_database()), ("alerts", Some("shop")));
    assert_eq!(options.get_application_name(), Some("of-the-url"));
    let shown = format!("{options:?}");
    assert!(shown.contains("statement_cache_capacity: 0"), "{shown}");
    assert!(shown.contains("extra_float_digits: None"), "{shown}");
    assert!(shown.contains("statements_level: Off, slow_statements_level: Off"), "{shown}");
}

#[test]
fn a_host_on_the_network_is_reached_by_tls_only() {
    if !IS_TLS_COMPILED_IN {
        return;
    }
    for host in ["db.example.com", "10.0.0.7", "[2001:db8::1]", "localhost.example.com", "postgres"] {
        let url = format!("postgres://alerts@{host}/shop");
        assert!(matches!(options(&url).get_ssl_mode(), PgSslMode::VerifyFull), "{host}");
        for mode in ["require", "verify-ca", "verify-full"] {
            let given = options(&format!("{url}?sslmode={mode}")).get_ssl_mode();
            assert_eq!(format!("{given:?}"), format!("{:?}", mode.parse::<PgSslMode>().unwrap()));
        }
        for mode in ["disable", "allow", "prefer"] {
            let fault = fault(&format!("{url}?sslmode={mode}")).unwrap();
            assert!(fault.what.contains("lets anybody on the way read"), "{fault:?}");
            assert!(fault.mend.unwrap().contains("sslmode=require"), "{host}");
        }
    }
}

#[test]
fn this_machine_is_reached_without_tls() {
    for url in [
        "postgres://alerts@127.0.0.1/shop",
        "postgresql://alerts@localhost/shop?sslmode=disable",
        "postgres://alerts@[::1]:5432/shop?sslmode=prefer",
        "postgres://alerts@%2Fvar%2Frun%2Fpostgresql/shop",
        "postgres:///shop?host=/var/run/postgresql&user=alerts",
    ] {
        assert_eq!(fault(url), None, "{url}");
        assert!(!matches!(options(url).get_ssl_mode(), PgSslMode::VerifyFull), "{url}");
    }
    let socket = options("postgres:///shop?host=/var/run/postgresql");
    assert_eq!(socket.get_socket().unwrap(), std::path::Path::new("/var/run/postgresql"));
}

#[test]
fn the_host_that_is_judged_is_the_one_that_is_connected_to() {
    for url in [
        "postgres://localhost/shop?host=db.example.com&sslmode=disable",
        "postgres://localhost/shop?hostaddr=10.0.0.7&sslmode=disable",
        "postgres://localhost/shop?host=localhost&host=db.example.com&sslmode=disable",
    ] {
        let fault = fault(url).unwrap();
        assert!(fault.what.contains("sslmode"), "{url}: {fault:?}");
    }
}

#[test]
fn what_is_wrong_with_a_url_is_told_without_any_of_it() {
    for (url, what, mend) in [
        ("mysql://hidden:hidden@hidden/hidden", "begins with postgres://", "give one like postgres://"),
        ("host=hidden password=hidden", "begins with postgres://", "give one like postgres://"),
        ("postgres://hidden:hid/den@hidden/hidden", "is not a URL", "%2F for /"),
        ("postgres://hidden:hid#den@hidden/hidden", "is not a URL", "%2F for /"),
        ("postgres://hidden:1#hidden@hidden/hidden", "has a # in it", "%23"),
        ("postgres://hidden:hidden@/hidden", "is not a URL", "percent-encoding"),
        ("postgres:///hidden", "names no host", "localhost"),
        ("postgres://hidden?host=", "names no host", "?host=/var/run/postgresql"),
        ("postgres://hidden@localhost,hidden/hidden", "several hosts", "primary"),
        ("postgres://hidden@localhost/hidden?sslmode=hidden", "unknown sslmode", "verify-full"),
        ("postgres://hidden@localhost/hidden?port=hidden", "port that is no number", "give one like"),
        ("postgres://hidden@localhost/hidden?hostaddr=hidden", "no address", "give one like"),
        ("postgres://localhost/hidden?statement-cache-capacity=hidden", "no number", "give one like"),
    ] {
        let fault = fault(url).unwrap_or_else(|| panic!("{url}"));
        let (is_what, is_mend) = (fault.what.contains(what), fault.mend.as_ref().unwrap().contains(mend));
        assert!(is_what && is_mend && !format!("{fault:?}").contains("hid"), "{url}: {fault:?}");
    }
}

#[test]
fn nothing_of_the_url_is_shown() {
    let url = Secret::new("postgres://alerts:hunter2@127.0.0.1/shop");
    let settings = FleetSettings::new(url, "tracing_alert".to_owned(), None);
    let shown = format!("{settings:?}");
    assert!(["alerts:", "hunter2", "127.0.0.1", "shop"].iter().all(|part| !shown.contains(part)), "{shown}");
}

#[test]
fn the_url_and_its_password_are_hidden_in_events_but_no_word_that_is_a_name_too() {
    let of = |url: &str| {
        let secrets = FleetSettings::secrets(&Secret::new(url));
        secrets.iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("postgres://alerts:a%2Fb%40c%c3%a9@db/shop"), ["alerts:a%2Fb%40c%c3%a9@db/shop", "a/b@cé"]);
    assert_eq!(of("postgres://db/shop?password=hunter2"), ["db/shop?password=hunter2", "hunter2"]);
    for word in ["alerts", "db", "shop", "postgres"] {
        let url = format!("alerts:{word}@db/shop");
        assert_eq!(of(&format!("postgres://{url}")), [url]);
    }
    assert_eq!(of("postgres://alerts@db/shop"), [""; 0]);
    assert_eq!(of("no URL"), [""; 0]);
}
