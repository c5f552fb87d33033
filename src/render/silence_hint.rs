//! How to be told no more of what a mail tells of: by the code of its kind.
//!
//! Invariant: the code means the events of this incident, and no other.

use super::{clean, words};
use crate::policy::{fingerprint, matcher::first_of_silenced, notice::Sample};

/// The code of a kind of event. None of what is no event of the program's, of what stands
/// for all that was silenced, and of an incident of several kinds.
pub(super) fn code(sample: &Sample) -> Option<String> {
    let Sample { event, latest, .. } = sample;
    if event.target.is_empty() || first_of_silenced(&event.message).is_some() {
        return None;
    }
    let code = fingerprint::code(event);
    latest.as_ref().is_none_or(|latest| fingerprint::code(latest) == code).then_some(code)
}

/// What can be done now, on one line; nothing if nothing can.
pub(super) fn now(samples: &[Sample]) -> String {
    match samples {
        [only] => code(only).map(|code| words::silence_now(&code)).unwrap_or_default(),
        several if several.iter().any(|sample| code(sample).is_some()) => words::SILENCE_ONE_NOW.to_owned(),
        _ => String::new(),
    }
}

/// How a program silences them itself; the codes of several.
pub(super) fn at_length(samples: &[Sample]) -> String {
    match samples {
        [only] => code(only).map(|code| words::silence(&code)).unwrap_or_default(),
        several => {
            let line =
                |sample: &Sample| Some(words::kind(&clean::line(&sample.incident, 16), &code(sample)?));
            let lines: Vec<String> = several.iter().filter_map(line).collect();
            if lines.is_empty() {
                String::new()
            } else {
                format!("{}\n{}", lines.join("\n"), words::silence("…"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{super::tests::error, *};
    use crate::{Matcher, event::Event};

    #[test]
    fn a_code_means_the_incident_and_no_other() {
        let failed = error(Level::ERROR, "order 17 failed", 2);
        let matcher = Matcher::new().kind(code(&failed).unwrap());
        assert!(matcher.means(&failed.event));
        assert!(matcher.means(&Event { message: "order 18 failed".into(), ..failed.event.clone() }));
        assert!(!matcher.means(&Event { message: "order 18 failed twice".into(), ..failed.event.clone() }));
        // An event without words, as `#[instrument(err)]` makes it, silences no program.
        let returned = error(Level::ERROR, "", 1);
        let matcher = Matcher::new().kind(code(&returned).unwrap());
        assert!(matcher.means(&returned.event) && !matcher.means(&failed.event));
    }

    #[test]
    fn what_is_no_kind_of_the_programs_has_none() {
        let mut several = error(Level::ERROR, "one", 2);
        several.latest = Some(Event { message: "another".into(), ..several.event.clone() });
        let mut nowhere = error(Level::ERROR, "crash loop", 1);
        nowhere.event.target = "".into();
        assert_eq!((code(&several), code(&nowhere)), (None, None));
        assert_eq!((now(&[several.clone()]), at_length(&[several, nowhere])), (String::new(), String::new()));
    }
}
