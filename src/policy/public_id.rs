//! How ids look that people read aloud: in messages, and to the command.
//!
//! Invariant: pure.

/// Four letters that are easy to read aloud, and spell no word.
pub(crate) fn spelled(mut number: u64) -> String {
    let mut letter = || {
        let place = usize::try_from(number % LETTERS.len() as u64).unwrap_or_default();
        number /= LETTERS.len() as u64;
        char::from(LETTERS[place])
    };
    [(); LENGTH].map(|()| letter()).into_iter().collect()
}

const LENGTH: usize = 4;

/// No vowel, so that there is no word.
const LETTERS: &[u8; 30] = b"0123456789BCDFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_letters_until_all_are_used() {
        assert_eq!(
            [0, 1, 29, 30, 809_999, 810_000].map(spelled),
            ["0000", "1000", "Z000", "0100", "ZZZZ", "0000"]
        );
        let all: std::collections::BTreeSet<String> = (0..810_000).map(spelled).collect();
        assert_eq!(all.len(), 810_000);
        assert!(all.iter().all(|id| id.len() == LENGTH && !id.contains(['A', 'E', 'I', 'O', 'U', 'L'])));
    }
}
