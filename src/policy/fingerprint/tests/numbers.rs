//! How much of a text is a number, a time, an address: at the edges of each.

use super::gives;
use crate::policy::fingerprint::number::{ipv4, named_date, port, quantity, time, uuid};

#[test]
fn a_uuid_has_all_its_digits_and_ends_there() {
    gives(
        |text: &str| uuid(text.as_bytes()),
        &[
            ("550e8400-e29b-41d4-a716-446655440000", Some(36)),
            ("550e8400-e29b-41d4-a716-446655440000.x", Some(36)),
            ("550e8400-e29b-41d4-a716-4466554400001", None),
            ("550e8400-e29b-41d4-a716-44665544000", None),
            ("550e8400_e29b-41d4-a716-446655440000", None),
            ("-550e8400-e29b-41d4-a716-446655440000", None),
            ("550e840g-e29b-41d4-a716-446655440000", None),
        ],
    );
}

#[test]
fn a_time_has_a_date_or_a_clock() {
    gives(
        |text: &str| time(text.as_bytes()),
        &[
            ("2024-03-02", Some(10)),
            ("2024/03/02 x", Some(10)),
            ("2024-3-02", None),
            ("02024-03-02", None),
            ("2024-03-02T23:10:44", Some(19)),
            ("2024-03-02t23:10:44", Some(19)),
            ("2024-03-02 23:10:44", Some(19)),
            ("2024-03-02 23:10:4", Some(10)),
            ("2024-03-02T23:10:44Z", Some(20)),
            ("2024-03-02T23:10:44z", Some(20)),
            ("2024-03-02T23:10:44Zulu", None),
            ("2024-03-02T23:10:44+01:00", Some(25)),
            ("2024-03-02T23:10:44 -0100", Some(25)),
            ("2024-03-02T23:10:44+01", Some(22)),
            ("2024-03-02T23:10:44+1", Some(19)),
            ("2024-03-02T23:10:44 UTC", Some(23)),
            ("2024-03-02T23:10:44 GMT", Some(23)),
            ("2024-03-02T23:10:44UTC", Some(22)),
            ("02 Jan 2024", Some(11)),
            ("2-Jan-2024", Some(10)),
            ("002 Jan 2024", None),
            ("02 Jan 24", None),
            ("1:02:03", Some(7)),
            ("12:03", None),
            ("12:3:04", None),
            ("12:03:04.123456789", Some(18)),
            ("12:03:04,5", Some(10)),
            ("12:03:04.", Some(8)),
            ("12:03:04.1234567890", Some(8)),
            ("12:03:04x", None),
        ],
    );
}

#[test]
fn a_date_may_begin_with_a_name() {
    gives(
        |text: &str| named_date(text.as_bytes()),
        &[
            ("Tue, 02 Jan 2024 10:00:01 GMT", Some(29)),
            ("Tue 02 Jan 2024", Some(15)),
            ("Sat Jun 11 03:28:22 2005", Some(24)),
            ("Sat Jun 11 03:28:22 20050", Some(19)),
            ("Jun  9 03:28:22", Some(15)),
            ("Jun 11 03:28:22x", None),
            ("Jun 111 03:28:22", None),
            ("Jun 11", None),
            ("Saturday", None),
            ("Tue, order", None),
        ],
    );
}

#[test]
fn an_ipv4_address_has_four_numbers_and_perhaps_a_port() {
    gives(
        |text: &str| ipv4(text.as_bytes()),
        &[
            ("10.0.0.1", Some(8)),
            ("10.0.0.1:5432", Some(13)),
            ("10.0.0.1:65535", Some(14)),
            ("10.0.0.1:655350", Some(8)),
            ("10.0.0.1/8", Some(10)),
            ("10.0.0.1234", None),
            ("10.0.0", None),
            ("10.0.0.1x", None),
            ("1000.0.0.1", None),
        ],
    );
    gives(
        |text: &str| port(text.as_bytes()),
        &[(":80", 3), (":65535x", 6), (":655350", 0), (":x", 0), ("80", 0), ("", 0)],
    );
}

#[test]
fn a_quantity_takes_what_is_written_to_its_number() {
    gives(
        |text: &str| quantity(text.as_bytes()),
        &[
            ("17 rows", 2),
            ("1,204 rows", 5),
            ("1,20 rows", 1),
            ("1.5.7 rows", 5),
            ("1. Next", 1),
            ("1e+10x", 6),
            ("1e-1234", 7),
            ("1e-12345", 2),
            ("3rd try", 3),
            ("5µs late", 4),
            ("2h 30m late", 6),
            ("2h 30m 5s", 9),
            ("2h 30mx", 2),
            ("2h 30 x", 2),
            ("2h x", 2),
            ("2 30m", 1),
            ("7 MiBs", 1),
            ("7 MiB", 5),
        ],
    );
    for unit in "ms us µs ns s min h B kB KB MB GB TB KiB MiB GiB TiB K M G".split(' ') {
        assert_eq!(quantity(format!("7 {unit} x").as_bytes()), 2 + unit.len(), "{unit}");
    }
    for unit in "ms us ns µs h min m s".split(' ') {
        assert_eq!(quantity(format!("2h 7{unit}").as_bytes()), 4 + unit.len(), "{unit}");
    }
}
