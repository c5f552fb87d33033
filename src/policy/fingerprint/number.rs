//! Numbers and what is made of them: times, durations, sizes, UUIDs, IPv4
//! addresses.
//!
//! Each function is given bytes that begin where one may, and returns how many
//! of them are one.
//! Invariant: pure, and linear in what it returns.

/// A UUID with its hyphens.
pub(super) fn uuid(bytes: &[u8]) -> Option<usize> {
    let mut peek = Peek { bytes, at: 0 };
    for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            peek.one_of(b"-")?;
        }
        peek.exactly(length, u8::is_ascii_hexdigit)?;
    }
    peek.ends_word()
}

/// A date, a time of day, or both: RFC 3339, RFC 2822 without the weekday, and
/// what is written like them.
pub(super) fn time(bytes: &[u8]) -> Option<usize> {
    let mut peek = Peek { bytes, at: 0 };
    let has_date = peek.maybe(Peek::numeric_date) || peek.maybe(Peek::written_date);
    if !has_date {
        peek.clock()?;
    } else {
        peek.maybe(|peek| {
            peek.one_of(b"Tt ")?;
            peek.clock()
        });
    }
    if !peek.maybe(Peek::offset) {
        peek.maybe(|peek| peek.one_of(b"Zz"));
        peek.maybe(|peek| peek.word(&[" UTC", " GMT", "UTC"]));
    }
    peek.ends_word()
}

/// A date that begins with the name of a day or a month: `Sat Jun 11 03:28:22 2005`,
/// `Tue, 02 Jan 2024 10:00:01 GMT`, `Jun 11 03:28:22`.
pub(super) fn named_date(bytes: &[u8]) -> Option<usize> {
    let mut peek = Peek { bytes, at: 0 };
    let has_day = peek.maybe(|peek| {
        peek.word(&DAYS)?;
        peek.word(&[", ", " "])
    });
    if has_day && let Some(length) = time(peek.rest()) {
        return Some(peek.at + length);
    }
    peek.word(&MONTHS)?;
    while peek.one_of(b" ").is_some() {}
    peek.digits(1, 2)?;
    peek.one_of(b" ")?;
    peek.clock()?;
    peek.maybe(|peek| {
        peek.one_of(b" ")?;
        peek.digits(4, 4)
    });
    peek.ends_word()
}

/// An IPv4 address, with or without a port.
pub(super) fn ipv4(bytes: &[u8]) -> Option<usize> {
    let mut peek = Peek { bytes, at: 0 };
    peek.digits(1, 3)?;
    for _ in 0..3 {
        peek.one_of(b".")?;
        peek.digits(1, 3)?;
    }
    peek.maybe(|peek| {
        peek.one_of(b":/")?;
        peek.digits(1, 5)
    });
    peek.ends_word()
}

/// A colon and a port; zero bytes if there is none.
pub(super) fn port(bytes: &[u8]) -> usize {
    let mut peek = Peek { bytes, at: 0 };
    peek.maybe(|peek| {
        peek.one_of(b":")?;
        peek.digits(1, 5)
    });
    peek.at
}

/// A number, and what is written to it: `1,204`, `1.5s`, `2h 30m`, `3rd`, `7 MiB`.
/// It begins with a digit.
pub(super) fn quantity(bytes: &[u8]) -> usize {
    let mut peek = Peek { bytes, at: 0 };
    peek.number();
    let number = peek.at;
    peek.letters();
    if peek.at > number {
        while peek.maybe(Peek::more_duration) {}
    }
    peek.maybe(|peek| {
        peek.word(&UNITS)?;
        peek.ends_word()
    });
    peek.at
}

/// Looks ahead.
struct Peek<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Peek<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn one_of(&mut self, set: &[u8]) -> Option<()> {
        let found = self.rest().first().is_some_and(|byte| set.contains(byte));
        self.at += usize::from(found);
        found.then_some(())
    }

    fn exactly(&mut self, count: usize, is: fn(&u8) -> bool) -> Option<()> {
        let found = self.rest().get(..count)?.iter().all(is);
        self.at += count;
        found.then_some(())
    }

    /// All digits that are here, if they are so many.
    fn digits(&mut self, least: usize, most: usize) -> Option<()> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (least..=most).contains(&count).then_some(())
    }

    fn word(&mut self, words: &[&str]) -> Option<()> {
        let found = words.iter().find(|word| self.rest().starts_with(word.as_bytes()))?;
        self.at += found.len();
        Some(())
    }

    /// Goes on if `part` is here, and stays if not.
    fn maybe<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> bool {
        let before = self.at;
        let found = part(self).is_some();
        if !found {
            self.at = before;
        }
        found
    }

    /// Where it stands, if no word goes on here.
    fn ends_word(&self) -> Option<usize> {
        let next = self.rest().first();
        (!next.is_some_and(|byte| byte.is_ascii_alphanumeric())).then_some(self.at)
    }

    fn numeric_date(&mut self) -> Option<()> {
        self.digits(4, 4)?;
        for _ in 0..2 {
            self.one_of(b"-/")?;
            self.digits(2, 2)?;
        }
        Some(())
    }

    /// `02 Jan 2024`.
    fn written_date(&mut self) -> Option<()> {
        self.digits(1, 2)?;
        self.one_of(b" -")?;
        self.word(&MONTHS)?;
        self.one_of(b" -")?;
        self.digits(4, 4)
    }

    fn clock(&mut self) -> Option<()> {
        self.digits(1, 2)?;
        for _ in 0..2 {
            self.one_of(b":")?;
            self.digits(2, 2)?;
        }
        self.maybe(|peek| {
            peek.one_of(b".,")?;
            peek.digits(1, 9)
        });
        Some(())
    }

    fn offset(&mut self) -> Option<()> {
        self.maybe(|peek| peek.one_of(b" "));
        self.one_of(b"+-")?;
        self.digits(2, 4)?;
        self.maybe(|peek| {
            peek.one_of(b":")?;
            peek.digits(2, 2)
        });
        Some(())
    }

    /// Digits in groups, with a fraction and an exponent.
    fn number(&mut self) {
        self.digits(1, usize::MAX);
        while self.maybe(|peek| {
            peek.one_of(b",")?;
            peek.digits(3, 3)
        }) {}
        while self.maybe(|peek| {
            peek.one_of(b".")?;
            peek.digits(1, usize::MAX)
        }) {}
        self.maybe(|peek| {
            peek.one_of(b"eE")?;
            peek.one_of(b"+-")?;
            peek.digits(1, 4)
        });
    }

    /// What is written to a number.
    fn letters(&mut self) {
        self.maybe(|peek| peek.word(&["µs"]));
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    }

    /// A space and another part of a duration, as in `2h 30m`.
    fn more_duration(&mut self) -> Option<()> {
        self.one_of(b" ")?;
        self.rest().first().filter(|byte| byte.is_ascii_digit())?;
        self.number();
        self.word(&["ms", "us", "ns", "µs", "h", "min", "m", "s"])?;
        self.ends_word().map(drop)
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Units that a program chooses by the size of the number.
const UNITS: [&str; 20] = [
    " ms", " us", " µs", " ns", " s", " min", " h", " B", " kB", " KB", " MB", " GB", " TB", " KiB", " MiB",
    " GiB", " TiB", " K", " M", " G",
];
