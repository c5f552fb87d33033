//! What of a URL is a secret, where all of it is one: of a webhook, or a heartbeat.
//!
//! Invariant: pure; a host alone is none, as events are about hosts.

use reqwest::Url;

use crate::host::secret::Secret;

/// What lets others use `url`, or is long enough to be that: all of it, and each long part
/// by itself.
pub(crate) fn secrets(url: &Url) -> Vec<Secret> {
    let rest = url.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let is_more_than_host =
        url.path() != "/" || url.query().is_some() || url.authority() != host_and_port(url);
    let whole = is_more_than_host.then(|| rest.to_owned());
    let password = url.password().map(str::to_owned);
    let segments = url.path().split('/').chain([url.username()]).map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let long = segments.chain(values).filter(|part| part.len() >= MIN_SECRET);
    let all = whole.into_iter().chain(password).chain(long);
    all.filter(|secret| !secret.is_empty()).map(Secret::new).collect()
}

/// The authority without a login.
fn host_and_port(url: &Url) -> &str {
    let authority = url.authority();
    authority.rsplit_once('@').map_or(authority, |(_, rest)| rest)
}

/// A shorter part of a path is a word, as a rule, which events may have too.
const MIN_SECRET: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_that_let_others_in_are_secrets() {
        let token = "abcdefghijklmnopqrstuvwx";
        let of = |url: &str| {
            let secrets = secrets(&Url::parse(url).unwrap());
            secrets.iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
        };
        let slack = format!("hooks.slack.com/services/T0/B0/{token}");
        assert_eq!(of(&format!("https://{slack}")), [slack.as_str(), token]);
        assert_eq!(of("https://ops:hunter2@example.com/"), ["ops:hunter2@example.com/", "hunter2"]);
        assert_eq!(of(&format!("https://{token}@example.com")), [&format!("{token}@example.com/"), token]);
        assert_eq!(of(&format!("https://example.com?sig={token}"))[1], token);
        assert_eq!([of("https://example.com"), of("http://127.0.0.1:8000/")], [[""; 0], [""; 0]]);
    }
}
