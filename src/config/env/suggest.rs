//! "Did you mean": which of the known names or words another one stands for.
//!
//! Invariant: pure. A name is compared word by word: it is near only if each of
//! its words is a known one's, a slip of that, another word for it, or one that
//! adds nothing. So what a platform makes of the names of its services, like
//! `ALERT_PORT` or `ALERT_MANAGER_SERVICE_HOST`, is near none.

/// The `known` names that `name` is nearest to; none if it is near none, several
/// if it could be each.
pub(in crate::config) fn names(name: &str, known: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let name = name.to_uppercase();
    if name.split('_').any(|word| word == PLATFORMS) {
        return Vec::new();
    }
    let mut near: Vec<_> = known.filter_map(|known| Some((cost(&name, known)?, known))).collect();
    let least = near.iter().map(|(cost, _)| *cost).min();
    near.retain(|(cost, _)| Some(*cost) == least);
    near.into_iter().map(|(_, known)| known).collect()
}

/// Whether `name` can be near one of ours, which a look at its beginning tells: an
/// environment may have thousands of others.
pub(in crate::config) fn may_be_near(name: &str) -> bool {
    let is_short = name.len() <= MAX_COMPARED;
    let start: String = name.chars().filter(|c| c.is_alphanumeric()).take(MAX_START).collect();
    let start = start.to_uppercase();
    let is_cut = |owner: &str| start.starts_with(&owner[..MIN_CUT]);
    is_short && OWNERS.iter().any(|owner| is_cut(owner) || slips_of_start(owner, &start) <= FAR)
}

/// The word of `known` that `text` stands for; each has others for it beside it.
pub(super) fn word(text: &str, known: &[(&'static str, &[&str])]) -> Option<&'static str> {
    let text: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    let text = text.to_lowercase();
    let means = |(word, others): &&(&str, &[&str])| *word == text || others.contains(&&*text);
    let near = |word: &str| slips(&text, word) <= slips_allowed(word);
    let is_slip = |(word, others): &&(&str, &[&str])| {
        near(word) || others.iter().any(|other| near(other)) || (text.len() >= 3 && word.starts_with(&text))
    };
    known.iter().find(means).or_else(|| known.iter().find(is_slip)).map(|(word, _)| *word)
}

/// How far `name` is from `known`; none if it means something else.
fn cost(name: &str, known: &str) -> Option<u32> {
    let squeezed = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let together = slips(&squeezed(name), &squeezed(known));
    let far = if known.len() < LONG_NAME { 1 } else { FAR };
    if together <= far {
        return u32::try_from(together * 2).ok();
    }
    let words = |name| str::split(name, |c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (mut given, wanted) = (words(name).collect::<Vec<_>>(), words(known).collect::<Vec<_>>());
    let mut cost = 0;
    let mut matched = 0;
    for wanted in &wanted {
        let best = (0..given.len()).filter_map(|at| Some((word_cost(given[at], wanted)?, at))).min();
        match best {
            Some((more, at)) => {
                given.remove(at);
                cost += more;
                matched += 1;
            }
            None => cost += MISSING,
        }
    }
    let adds_nothing = |word: &str| {
        FILLERS.contains(&word)
            || wanted.iter().any(|wanted| word_cost(word, wanted).is_some_and(|it| it < SLIP))
    };
    // The first one is whose variables they are.
    let is_ours = words(name).next().is_some_and(|first| word_cost(first, wanted[0]).is_some());
    let is_near = is_ours && matched > 1 && given.iter().all(|word| adds_nothing(word));
    cost += u32::try_from(given.len()).unwrap_or(u32::MAX);
    (is_near && cost <= FARTHEST).then_some(cost)
}

fn word_cost(word: &str, known: &str) -> Option<u32> {
    if word == known {
        return Some(0);
    }
    let forms = |word| [word, str::strip_suffix(word, 'S').unwrap_or(word)];
    let is_in = |set: &[&str], word| forms(word).iter().any(|form| set.contains(form));
    let (one, other) = (forms(word), forms(known));
    if one[1] == other[1] || SAME.iter().any(|set| is_in(set, word) && is_in(set, known)) {
        return Some(OTHER_WORD);
    }
    let is_cut = word.len() >= MIN_CUT && known.starts_with(word);
    (is_cut || slips(word, known) <= slips_allowed(known)).then_some(SLIP)
}

/// How many slips of the keyboard leave a word of this length what it was.
fn slips_allowed(word: &str) -> usize {
    match word.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// How many characters must be inserted, removed, replaced or swapped with their
/// neighbour to turn `one` into `other` ("optimal string alignment").
fn slips(one: &str, other: &str) -> usize {
    rows(one, other).last().and_then(|row| row.last().copied()).unwrap_or_default()
}

/// The same, to turn `one` into what `other` begins with.
fn slips_of_start(one: &str, other: &str) -> usize {
    rows(one, other).last().and_then(|row| row.iter().min().copied()).unwrap_or_default()
}

/// The same, for each beginning of `one`, from none of it on, and each of `other`.
fn rows(one: &str, other: &str) -> Vec<Vec<usize>> {
    let (one, other): (Vec<char>, Vec<char>) =
        (one.chars().take(MAX_COMPARED).collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut next = vec![i; other.len() + 1];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            next[j] = replaced.min(rows[i - 1][j] + 1).min(next[j - 1] + 1);
            let is_swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
            if is_swapped {
                next[j] = next[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(next);
    }
    rows
}

/// Words that people use for one another, in the singular.
const SAME: [&[&str]; 11] = [
    &["EMAIL", "MAIL"],
    &["PHONE", "SMS", "NUMBER", "MOBILE", "TELEPHONE"],
    &["SENDER", "FROM"],
    &["KEY", "TOKEN"],
    &["SECRET", "TOKEN", "PASSWORD"],
    &["ENVIRONMENT", "ENV"],
    &["DATABASE", "DB", "SQLITE"],
    &["TIMEZONE", "TZ"],
    &["LEVEL", "SEVERITY"],
    &["BUDGET", "LIMIT"],
    &["APP", "APPLICATION"],
];

/// Words that say what sort of value it is, which the name says without them.
const FILLERS: [&str; 14] = [
    "ADDRESS", "APP", "FILTER", "ID", "LEVEL", "LIST", "LOG", "MIN", "MINIMUM", "PATH", "SID", "TIME", "TO",
    "URL",
];

/// What platforms name the ports of services by, and we name nothing by.
const PLATFORMS: &str = "PORT";

const OTHER_WORD: u32 = 1;
/// One slip of the keyboard.
const SLIP: u32 = 2;
/// One word may be left out.
const MISSING: u32 = 3;
const FARTHEST: u32 = 4;

/// As many slips in a whole name may leave it what it was...
const FAR: usize = 2;

/// ...unless it is shorter than this: then they make another one.
const LONG_NAME: usize = 14;

/// As many letters of a word stand for it.
const MIN_CUT: usize = 4;

/// No name of ours is nearly as long.
const MAX_COMPARED: usize = 64;

/// What the names of ours begin with: whose variables they are.
const OWNERS: [&str; 3] = ["ALERT", "TWILIO", "SENDGRID"];

/// The longest of these, with [`FAR`] characters too many.
const MAX_START: usize = 8 + FAR;
