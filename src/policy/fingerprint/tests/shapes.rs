//! What varies as a whole by its shape, and where it ends: at the edges of each shape.

use super::gives;
use crate::policy::fingerprint::{lines, lists, shape, url};

#[test]
fn what_varies_as_a_whole_has_one_of_these_shapes() {
    gives(
        shape::whole,
        &[
            ("ann@b.io.", Some(8)),
            ("ann@b.io:-", Some(8)),
            ("@b.io", None),
            ("a.@b.io", None),
            ("https://ann@b.io", None),
            ("/tmp/x", Some(6)),
            ("/var/tmp/x", Some(10)),
            ("/private/tmp/x", Some(14)),
            ("/var/folders/x", Some(14)),
            ("C:\\Temp\\x", Some(9)),
            ("/opt/tmp/x", None),
            // IPv6 addresses and MAC addresses.
            ("1:2:3:4:5:6:7:8", Some(15)),
            ("1:2:3:4:5:6:7", None),
            ("1:2:3:4:5:6:7:8:9", None),
            ("00:1b:44:11:3a:b7", Some(17)),
            ("00:1b:44:11:3a", None),
            ("fe80::1%eth0", Some(12)),
            ("2001:db8::/32", Some(13)),
            ("1234::1", Some(7)),
            ("12345::1", None),
            ("123g::1", None),
            ("cafe::babe", None),
            ("::ffff:10.0.0.1", Some(15)),
            ("::ffff:10.0.0.1x", None),
            // Two hexadecimal digits behind a percent sign.
            ("a%20b", Some(5)),
            ("a%20z", Some(5)),
            ("a%2", None),
            ("a%2g", None),
            ("20%", None),
            ("20b", None),
            // Tokens: twenty characters, of which the kind changes often.
            ("aB3aB3aB3aB3aB3aB3aB", Some(20)),
            ("aB3aB3aB3aB3aB3aB3a", None),
            ("/B3aB3aB3aB3aB3aB3aB", None),
            (".B3aB3aB3aB3aB3aB3aB", None),
            ("aB3aB3aB3aB3aB3aB3a::B", None),
            ("aBaBaBaBaBaBaBaBaBaB", None),
            ("a1a1a1a1a1a1a1a1a1a1", None),
            ("A1A1A1A1A1A1A1A1A1A1", None),
            ("eyJaaaaaaaaaaaaaaaaa", Some(20)),
            ("eyJaaaaaaaaaaaaaaaa", None),
            ("aaBBB111aaaBBB111aaa1", Some(21)),
            ("aaBBB111aaaBBB111aaaa", None),
            ("aa_BB_11_aa_BB_11_aa", Some(20)),
        ],
    );
}

#[test]
fn what_stands_in_brackets_ends_with_them() {
    gives(
        |text: &str| shape::bracketed(text.as_bytes()),
        &[
            ("[::1]", Some(5)),
            ("[::1]:80 x", Some(8)),
            ("[::1]:x", Some(5)),
            ("[::] x", Some(4)),
            ("[fe80::1]", Some(9)),
            ("[redacted:card]:80", Some(15)),
            ("[card]", None),
            ("[17]", None),
            ("[::1", None),
            ("[]", None),
        ],
    );
    let redacted = |length: usize| format!("[redacted:{}]", "x".repeat(length - 9));
    assert_eq!(shape::bracketed(redacted(63).as_bytes()), Some(65));
    assert_eq!(shape::bracketed(redacted(64).as_bytes()), None);
    gives(
        |text: &str| shape::braces(text.as_bytes()),
        &[("{} x", 2), ("{a{b}c}d}", 7), ("{a{b}c", 6), ("}{", 1), ("", 0)],
    );
}

#[test]
fn a_url_ends_where_prose_goes_on() {
    let length = |text: &str| shape::url(text.as_bytes(), text.find(':').unwrap_or_default());
    for end in ["\"", "'", "`", "<", ">", ")", "{", "}", "|", "\\", "]", " ", "\n", ".", ",", ";", ":", "!?"]
    {
        assert_eq!(length(&format!("https://a.b/c{end}")), Some(13), "{end}");
    }
    gives(
        length,
        &[
            ("https://a.b/c", Some(13)),
            ("https://a.b/c?d=e&f=[1],", Some(23)),
            ("https://a.b/c=(d", Some(16)),
            ("https://a.b/c.d", Some(15)),
            ("h2://a.b", None),
            ("https:/a.b", None),
        ],
    );
    gives(
        shape::http_version,
        &[
            ("HTTP/1.0 x", Some(8)),
            ("HTTP/1.1 x", Some(8)),
            ("HTTP/2.0 x", Some(8)),
            ("HTTP/2 x", Some(6)),
            ("HTTP/3.0 x", Some(8)),
            ("HTTP/3 x", Some(6)),
            ("HTTP/4", None),
            ("HTTP", None),
        ],
    );
}

#[test]
fn of_a_url_the_scheme_the_host_and_the_route_stay() {
    gives(
        |text: &str| url::masked(text),
        &[
            ("https://A.b/c?d=1", "https://a.b/c".to_owned()),
            ("https://a.b/c#d", "https://a.b/c".to_owned()),
            ("https://a.b/c;d", "https://a.b/c".to_owned()),
            ("https://a.b?d/e", "https://a.b".to_owned()),
            ("https://ann:pw@a.b:80//c/", "https://a.b/c".to_owned()),
            ("http://10.0.0.1:80/c", "http://*/c".to_owned()),
            ("http://[::1]:80/c", "http://*/c".to_owned()),
            ("file:///home/ann/x", "file:///home/*/x".to_owned()),
            ("file:///Users/ann/x", "file:///Users/*/x".to_owned()),
            ("http://db-12x3/v1/v17", "http://db-*x*/v1/v17".to_owned()),
            ("http://a/17/x_17/x.17/x:17/x~17/x,17", "http://a/*/*/*/*/*/*".to_owned()),
            ("http://a/deadbeef/deadbee1", "http://a/deadbeef/*".to_owned()),
            ("http://a/b%20/b@c/b*/b.pdf/b.rs", "http://a/*/*/*/*/b.rs".to_owned()),
        ],
    );
}

#[test]
fn a_name_with_digits_is_a_version_or_known() {
    gives(
        shape::is_name,
        &[
            ("v1", true),
            ("V12", true),
            ("v123", false),
            ("v", false),
            ("va", false),
            ("utf8", true),
            ("UTF8", true),
            ("HmacSha256", true),
            ("FromUtf8Error", true),
            ("HmacSha257", false),
            ("Utf8Foo17", false),
            ("order", false),
            ("order17", false),
        ],
    );
    gives(
        shape::is_hex,
        &[
            ("9fceb02", true),
            ("9fceb0", false),
            ("9fceb0g", false),
            ("0x1", true),
            ("0X1", true),
            ("0x", false),
            ("0xg", false),
        ],
    );
}

#[test]
fn of_a_list_one_element_remains() {
    gives(
        |text: &str| lists::collapsed(text.to_owned()),
        &[
            ("a *, a *, a *", "a *".to_owned()),
            ("a *, b *, b *", "a *, b *".to_owned()),
            ("a *, b *, a *", "a *, b *, a *".to_owned()),
            ("a, a", "a, a".to_owned()),
            ("a, a, *", "a, a, *".to_owned()),
            ("[a *, a *] b", "[a *] b".to_owned()),
            ("{a *,  a * } b", "{a *} b".to_owned()),
            ("(a *, a *), (a *, a *)", "(a *)".to_owned()),
            ("<a *, a *>", "<a *>".to_owned()),
            ("x [a *, a *], y", "x [a *], y".to_owned()),
            ("a *], a *", "a *], a *".to_owned()),
            ("a *], b *, b *", "a *], b *".to_owned()),
        ],
    );
}

#[test]
fn lines_that_show_source_text_or_a_stack_do_not_count() {
    let told = |text: &str| lines::telling(text).collect::<Vec<_>>().join("/");
    gives(
        told,
        &[
            (" a \n\n b ", "a/b".to_owned()),
            ("3 | x\n | ^^^ not a port\n│ ~~ odd\nend", "not a port/odd/end".to_owned()),
            ("3 x\n|", "3 x".to_owned()),
            ("a\nstack backtrace:\nb", "a".to_owned()),
            ("a\nSTACKTRACE: x\nb", "a".to_owned()),
            ("a\nBacktrace:\nb", "a".to_owned()),
            ("a\nbacktraces\nb", "a/backtraces/b".to_owned()),
            ("a\nnote: run with `RUST_BACKTRACE=1`\nb", "a/b".to_owned()),
            ("a\nnote: Some details are omitted, x\nb", "a/b".to_owned()),
            ("a\nnote: b", "a/note: b".to_owned()),
        ],
    );
    assert_eq!(lines::telling(&"a\n".repeat(40)).count(), 32);
    assert_eq!(told(&"x".repeat(5000)).len(), 4096);
}

#[test]
fn the_last_cause_stands_before_a_heading_or_a_stack() {
    gives(
        lines::last_cause,
        &[
            ("a\nCaused by:\n 0: b\n 1: c", Some("c")),
            ("a\ncaused BY:\n\n b", Some("b")),
            ("a\nCaused by:\nb\nSpan trace:\nc", Some("b")),
            ("a\nCaused by:\nb: c\nd", Some("d")),
            ("a\nCaused by:\nb\nno 7:\nLocation:\nc", Some("no 7:")),
            ("a\nCaused by:\nb\nStack backtrace:\nc", Some("b")),
            ("a\nCaused by:\n10:  b", Some("b")),
            ("a\nCaused by:\n: b", Some(": b")),
            ("a\nCaused by:\n10 b", Some("10 b")),
            ("a\nb", None),
            ("Caused by:", None),
        ],
    );
}
