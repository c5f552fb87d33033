//! [`Space`]: how many bytes of a body are left for the texts of events.
//!
//! Invariant: no more is spent than there was, and what is cut is marked and
//! known to be.

/// Bytes of a body that are left.
pub(super) struct Space<'a> {
    left: usize,
    /// Stands where a text was cut.
    mark: &'a str,
    has_cut: bool,
}

impl<'a> Space<'a> {
    pub(super) fn new(bytes: usize, mark: &'a str) -> Self {
        Self { left: bytes, mark, has_cut: false }
    }

    /// Whether some text was longer than it may be.
    pub(super) fn has_cut(&self) -> bool {
        self.has_cut
    }

    /// Something is not shown at all.
    pub(super) fn leave_out(&mut self) {
        self.has_cut = true;
    }

    /// As much of `text` as is left, marked if cut.
    pub(super) fn spend(&mut self, text: &str) -> String {
        self.spend_most(text, self.left)
    }

    /// The same, but a third of what is left at most: no text can hide those
    /// after it.
    pub(super) fn spend_third(&mut self, text: &str) -> String {
        self.spend_most(text, self.left / 3)
    }

    fn spend_most(&mut self, text: &str, most: usize) -> String {
        let mut spent = 0;
        let end = text.char_indices().find(|(_, c)| {
            let bytes = body_bytes(*c);
            let fits = spent + bytes <= most;
            spent += if fits { bytes } else { 0 };
            !fits
        });
        self.left -= spent;
        match end {
            Some((end, _)) => {
                self.has_cut = true;
                format!("{}{}", text.get(..end).unwrap_or_default(), self.mark)
            }
            None => text.to_owned(),
        }
    }

    /// All of `text` and so many bytes more, if that is a third of what is left at most.
    pub(super) fn spend_whole(&mut self, text: String, more: usize) -> Option<String> {
        let bytes = text.chars().map(body_bytes).sum::<usize>() + more;
        if bytes > self.left / 3 {
            self.has_cut = true;
            return None;
        }
        self.left -= bytes;
        Some(text)
    }

    /// Lets `make` spend one of `rest` equal shares; what it does not spend stays
    /// for the others.
    pub(super) fn share<T>(&mut self, rest: usize, make: impl FnOnce(&mut Self) -> T) -> T {
        let mut part = self.set_aside(self.left.checked_div(rest).unwrap_or_default());
        let made = make(&mut part);
        self.take_back(part);
        made
    }

    /// So much of it, for something else.
    pub(super) fn set_aside(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        Self::new(bytes, self.mark)
    }

    /// What was set aside, and what is left of it.
    pub(super) fn take_back(&mut self, part: Self) {
        self.left += part.left;
        self.has_cut |= part.has_cut;
    }

    /// A third of it.
    pub(super) fn third(&self) -> usize {
        self.left / 3
    }
}

/// The most that either body writes for `c`: an entity, or an indented line.
pub(super) fn body_bytes(c: char) -> usize {
    match c {
        '"' | '&' | '\'' | '<' | '>' | '\n' => "&#00;".len(),
        _ => c.len_utf8(),
    }
}
