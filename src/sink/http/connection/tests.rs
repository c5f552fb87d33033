//! Which base URLs are taken, and what is said of the others.

use super::*;

const NAMES: Names =
    Names { base_url: "SENDGRID_BASE_URL", default: "https://api.sendgrid.com", api: ["v3", "mail"] };

fn fault(text: &str) -> Option<(&'static str, String)> {
    base_url_fault(text, false, &NAMES)
}

fn connection(base_url: &str) -> Connection {
    Connection::new(base_url)
}

#[test]
fn a_base_url_is_http_with_a_host_and_nothing_else() {
    let mut good = vec!["http://127.0.0.1:80/", "http://localhost/v3x/mail", "http://[::1]:8080/sendgrid/"];
    if tls::IS_COMPILED_IN {
        good.extend(["https://api.sendgrid.com", "https://proxy.example/v3/sendgrid/"]);
    }
    for good in good {
        assert_eq!(fault(good), None, "{good}");
    }
    for bad in [
        "",
        "api.twilio.com",
        "https://",
        "http://:80",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://user@example.com",
        "https://:pass@example.com",
        "https://example.com?x",
        "https://example.com#x",
        "https://exa mple.com",
        "https://[::1",
    ] {
        let (_, mend) = fault(bad).unwrap_or_else(|| panic!("{bad:?}"));
        assert_eq!(mend, "give one like https://api.sendgrid.com, or none");
    }
}

#[test]
fn the_path_of_the_api_would_double() {
    for bad in ["/v3/mail/send", "/v3", "/V3/", "/v3/mail", "/eu/v3/mail/send", "/v3/mail/send/v3/mail/send"]
    {
        let (what, mend) = fault(&format!("https://api.sendgrid.com{bad}")).unwrap();
        assert_eq!(what, "has the path of the API in it", "{bad}");
        assert_eq!(mend, "leave out /v3 and what follows, which is added to it");
    }
    let twilio = Names { api: ["2010-04-01", "Accounts"], ..NAMES };
    for bad in ["2010-04-01", "2010-04-01/Accounts/AC42/Messages.json"] {
        let url = format!("https://api.twilio.com/{bad}");
        assert!(base_url_fault(&url, false, &twilio).is_some(), "{bad}");
    }
}

#[test]
fn http_to_another_host_is_taken_by_consent_only() {
    let others =
        ["api.sendgrid.com", "10.0.0.1", "0.0.0.0", "[::2]", "localhost.example", "128.0.0.1", "3232235777"];
    for host in others {
        let url = format!("http://{host}");
        let (what, mend) = fault(&url).unwrap_or_else(|| panic!("{host}"));
        assert!(what.starts_with("is http to another host"), "{what}");
        assert!(mend.contains("ALERT_ALLOW_HTTP=on") && mend.contains("`allow_http(true)`"), "{mend}");
        assert_eq!(base_url_fault(&url, true, &NAMES), None, "{host}");
        assert!(!connection(&url).is_local(), "{host}");
    }
    for host in
        ["127.0.0.1", "127.9.9.9:80", "2130706433", "localhost", "LOCALHOST:9", "[::1]", "[::ffff:127.0.0.1]"]
    {
        let url = format!("http://{host}");
        assert_eq!(fault(&url), None, "{host}");
        assert!(connection(&url).is_local(), "{host}");
    }
}

#[test]
fn no_more_of_a_base_url_is_shown_than_its_host_and_port() {
    assert_eq!(connection("https://user:pass@example.com/x").host(), "example.com");
    assert_eq!(connection("https://example.com:8443/x").host(), "example.com:8443");
    assert_eq!(connection("hunter2").host(), "[not a URL]");
}

#[test]
fn a_wrong_proxy_or_root_is_named_and_not_shown() {
    let mut connection = connection("http://127.0.0.1");
    connection.proxy = Some(Proxy::new("ftp://bob:hunter2@127.0.0.1"));
    connection.roots = vec![b"hunter2".to_vec()];
    let problems = connection.problems(&NAMES);
    let settings = problems.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>();
    assert_eq!(settings, ["proxy", "root_certificate"]);
    assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
}
