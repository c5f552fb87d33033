//! What is learned, in which order, and what is kept of it.

use proptest::prelude::*;

use super::*;
use crate::policy::fingerprint::mask::mask;

const CALLSITE: Fingerprint = [7; 16];

fn said(message: &str) -> Said {
    new(message, &[]).unwrap_or_else(|| panic!("nothing to learn: {message}"))
}

fn new(message: &str, causes: &[&str]) -> Option<Said> {
    let message = mask(message);
    Said::new(CALLSITE, own(&message), &message, causes)
}

/// What a masked message is counted under without a group.
fn own(message: &str) -> Fingerprint {
    hash(&[&mask(message)])
}

/// Which of `messages`, in their order, are of which group.
fn grouped(learned: &mut Learned, messages: &[&str]) -> Vec<Option<Fingerprint>> {
    messages.iter().map(|message| learned.note(&said(message), 1).0).collect()
}

/// From which of `messages` on there is a group.
fn begins(messages: &[&str]) -> Option<usize> {
    grouped(&mut Learned::default(), messages).iter().position(Option::is_some)
}

const SUPPLIERS: [&str; 5] = [
    "supplier Globex sent nothing",
    "supplier Initech sent nothing",
    "supplier Umbrella sent nothing",
    "supplier Hooli sent nothing",
    "supplier ACME sent nothing",
];

#[test]
fn where_enough_words_stood_is_a_hole() {
    assert_eq!(begins(&["unknown client: user ann", "unknown client: user bob"]), Some(1), "a name");
    assert_eq!(begins(&SUPPLIERS), Some(1), "what is written as a value");
    let bare = ["ann", "bob", "kim", "eve"].map(|name| format!("driver {name} went home early"));
    assert_eq!(begins(&bare.each_ref().map(String::as_str)), Some(1), "any other word");
    let few = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| format!("queue {name}x stopped early"));
    assert_eq!(begins(&few.each_ref().map(String::as_str)), Some(3), "what a program has a few of");
}

#[test]
fn the_group_takes_the_next_and_all_that_follow() {
    let mut learned = Learned::default();
    let groups = grouped(&mut learned, &SUPPLIERS);
    assert_eq!(groups[0], None);
    assert_eq!(groups[1..], [Some(own(SUPPLIERS[0])); 4], "the incident of the first goes on");
    assert_eq!(grouped(&mut learned, &SUPPLIERS), [groups[1]; 5]);
    let rubbish = "supplier Globex sent rubbish";
    assert_eq!(learned.note(&said(rubbish), 1).0, Some(own(rubbish)), "another problem");
    assert_eq!(learned.note(&said("supplier Hooli sent rubbish"), 1).0, Some(own(rubbish)), "of any of them");
    assert_eq!(learned.shown(&groups[1].unwrap()), Some("supplier … sent nothing"));
    assert_eq!(learned.shown(&[1; 16]), None);
}

#[test]
fn what_says_more_where_the_value_stood_is_another() {
    let mut learned = Learned::default();
    assert!(grouped(&mut learned, &SUPPLIERS)[1].is_some());
    assert_eq!(learned.note(&said("supplier of the Globex sent nothing"), 1).0, Some(own(SUPPLIERS[0])));
    assert_eq!(learned.note(&said("supplier Globex (was late) sent nothing"), 1).0, None);
}

#[test]
fn two_places_can_be_holes() {
    let messages = [
        "user ann has no seat at Globex",
        "user bob has no seat at Globex",
        "user ann has no seat at Initech",
        "user kim has no seat at Umbrella",
        "user eve has no seat at Hooli",
    ];
    let mut learned = Learned::default();
    let groups = grouped(&mut learned, &messages);
    assert_eq!(groups[0], None);
    assert_eq!(groups[1..], [Some(own(messages[0])); 4], "the wider group goes on with what the first began");
}

#[test]
fn a_name_of_several_words_is_one_value() {
    let labels = [
        "the label of Anna Kowalska does not fit",
        "the label of Smith does not fit",
        "the label of Dr. Maximilian von und zu Hohenstein does not fit",
        "the label of the Returns Department does not fit",
    ];
    let groups = grouped(&mut Learned::default(), &labels);
    assert_eq!(groups, [None, Some(own(labels[0])), Some(own(labels[0])), Some(own(labels[0]))]);
    let lists = ["[ann, bob]", "[kim]", "[eve, zoe, leo]", "[ned, ida]", "[pat, sam, tom, una, vic]"];
    let lists = lists.map(|list| format!("the letter was not sent to {list} today"));
    assert_eq!(begins(&lists.each_ref().map(String::as_str)), Some(2), "a list");
    let split = ["Ann", "Bob", "Kim: disk full"].map(|rest| format!("cannot greet {rest}"));
    assert_eq!(grouped(&mut Learned::default(), &split.each_ref().map(String::as_str))[2], None, "a cause");
}

#[test]
fn a_value_that_is_said_again_is_one() {
    let messages = ["api", "web", "job", "bot"]
        .map(|name| format!("reconcile of \"{name}x\" failed: the object {name}x was modified"));
    let groups = grouped(&mut Learned::default(), &messages.each_ref().map(String::as_str));
    assert_eq!(groups[3], Some(own(&messages[0])), "{groups:?}");
}

#[test]
fn what_varies_before_one_cause_varies_before_another() {
    let mut learned = Learned::default();
    let refused = ["Osprey", "Falcon"].map(|host| format!("ssh to {host} failed: refused"));
    assert!(grouped(&mut learned, &refused.each_ref().map(String::as_str))[1].is_some());
    let reset = ["Kestrel", "Merlin"].map(|host| format!("ssh to {host} failed: reset"));
    let groups = grouped(&mut learned, &reset.each_ref().map(String::as_str));
    assert_eq!(groups, [Some(own(&reset[0])); 2], "known from its first event on");
}

#[test]
fn what_tells_problems_apart_is_no_hole() {
    for telling in [
        "order {} failed: {}",
        "worker stopped with {} today",
        "connection was {} today",
        "build failed with error {} today",
        "column {} is missing today",
        "`{}` is missing today",
    ] {
        let words =
            ["refused", "NotFound", "timeout", "E0308", "io::Error", "denied", "reset", "lost", "closed"];
        let mut learned = Learned::default();
        for word in words {
            let message = telling.replace("{}", word);
            if let Some(said) = new(&message, &[]) {
                assert_eq!(learned.note(&said, 1).0, None, "{message}");
            }
        }
    }
    let mut learned = Learned::default();
    for cause in ["one", "two", "three", "four", "five"] {
        let said = new("supplier Globex sent nothing", &[cause]).unwrap();
        assert_eq!(learned.note(&said, 1).0, None, "causes stay apart");
    }
}

#[test]
fn what_comes_again_and_again_takes_longer() {
    let mut learned = Learned::default();
    for message in &SUPPLIERS {
        assert_eq!(learned.note(&said(message), 2).0, None, "{message}");
    }
    let mut some = Learned::default();
    let bare = ["ann", "bob", "kim", "eve"].map(|name| format!("driver {name} went home early"));
    let groups: Vec<_> =
        bare.iter().zip([2, 1, 1, 1]).map(|(it, count)| some.note(&said(it), count).0).collect();
    assert_eq!(groups[..3], [None; 3]);
    assert!(groups[3].is_some(), "one of them came again");
    assert_eq!(learned.note(&said(SUPPLIERS[0]), 1), (None, false), "nothing new");
}

#[test]
fn too_little_in_common_is_no_group() {
    assert_eq!(begins(&["hello Globex Hooli", "hello Initech Wonka", "hello Umbrella Stark"]), None);
    assert_eq!(begins(&["supplier Globex vanished", "supplier Initech vanished"]), Some(1), "two words are");
    assert_eq!(begins(&["hello Globex", "hello Initech", "hello Umbrella", "hello Hooli"]), None);
}

#[test]
fn no_name_is_kept_in_clear() {
    let mut learned = Learned::default();
    let messages = ["ann", "bob", "kim", "eve"].map(|name| format!("user {name} lost the key of Example"));
    for message in &messages {
        learned.note(&said(message), 1);
    }
    let json = serde_json::to_string(&learned).unwrap();
    assert!(json.contains("user … lost the key of Example"), "{json}");
    for name in ["ann", "bob", "kim", "eve"] {
        assert!(!json.contains(name), "{name}: {json}");
    }
    let mut two = Learned::default();
    grouped(&mut two, &[&messages[0], &messages[1]]);
    assert!(!serde_json::to_string(&two).unwrap().contains("lost"), "only what three share is shown");
    let back: Learned = serde_json::from_str(&json).unwrap();
    assert_eq!(back, learned);
}

#[test]
fn what_two_processes_learned_adds_up() {
    let (mut one, mut other) = (Learned::default(), Learned::default());
    grouped(&mut one, &SUPPLIERS[..1]);
    let groups = grouped(&mut other, &SUPPLIERS[1..4]);
    let (mut left, mut right) = (one.clone(), other.clone());
    left.absorb(&other);
    right.absorb(&one);
    assert_eq!(left, right);
    assert_eq!(left.note(&said(SUPPLIERS[0]), 1).0, groups[2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_group_goes_on_with_what_the_first_began(
        names in Just(["Globex", "Initech", "Umbrella", "Hooli", "Wonka", "Stark"]).prop_shuffle(),
    ) {
        let messages = names.map(|name| format!("supplier {name} sent nothing"));
        let mut learned = Learned::default();
        let groups = grouped(&mut learned, &messages.each_ref().map(String::as_str));
        prop_assert_eq!(groups[0], None);
        prop_assert!(groups[1..].iter().all(|group| *group == Some(own(&messages[0]))));
    }

    /// Whatever is said: it is bounded, and what is grouped stays so.
    #[test]
    fn it_is_bounded_and_never_unlearns(
        messages in prop::collection::vec("(user|queue|for|from|Xa|yb|zc|\"q\"|k=v){4,6}( (ann|bob|Kim|\"eve\"|x-y)){1,2}", 1..60)
    ) {
        let mut learned = Learned::default();
        let mut of_group: Vec<Said> = Vec::new();
        for message in &messages {
            let message = message.replace("user", "user ").replace("for", "for ");
            let Some(said) = new(&message, &[]) else { continue };
            if learned.note(&said, 1).0.is_some() {
                of_group.push(said);
            }
            prop_assert!(learned.templates.len() <= MAX_TEMPLATES);
            prop_assert!(learned.templates.is_sorted());
        }
        for said in &of_group {
            prop_assert!(learned.clone().note(said, 1).0.is_some());
        }
    }
}

#[test]
fn a_message_of_too_many_words_is_not_learned_from() {
    let most = "supplier Globex ".repeat(MAX_WORDS / 2);
    assert!(new(&most, &[]).is_some());
    assert!(new(&format!("{most} x"), &[]).is_none());
    assert!(new("disk, full", &[]).is_none(), "a comma alone varies not");
}

#[test]
fn what_came_twice_is_no_news() {
    let mut learned = Learned::default();
    let notes = [1, 1, 1].map(|count| learned.note(&said(SUPPLIERS[0]), count));
    assert_eq!(notes, [(None, true), (None, true), (None, false)]);
    let mut some = Learned::default();
    let counts = [2, 1, 1];
    let groups: Vec<_> =
        SUPPLIERS.iter().zip(counts).map(|(it, count)| some.note(&said(it), count).0.is_some()).collect();
    assert_eq!(groups, [false, false, true], "half of them came again: that is not most of them");
}

#[test]
fn its_size_is_that_of_its_words_and_of_what_it_shows() {
    let mut learned = Learned::default();
    let of = |words: usize| size_of::<Template>() + words * size_of::<Known>();
    learned.note(&said(SUPPLIERS[0]), 1);
    learned.note(&said("driver Ann went home early"), 1);
    assert_eq!(learned.size_bytes(), of(4) + of(5));
    let mut learned = Learned::default();
    let groups = grouped(&mut learned, &SUPPLIERS[..3]);
    let shown = learned.shown(&groups[2].unwrap()).unwrap();
    assert_eq!(shown, "supplier … sent nothing", "three share it");
    assert_eq!(learned.size_bytes(), of(4) + shown.len());
}

#[test]
fn as_many_messages_and_holes_are_kept_as_may_be() {
    let mut learned = Learned::default();
    for letter in 'a'..='z' {
        for cause in [format!("{letter}xx"), format!("{letter}yy")] {
            learned.note(&new("supplier Globex sent nothing", &[&cause]).unwrap(), 1);
        }
    }
    assert_eq!(learned.templates.len(), MAX_TEMPLATES);
    let six =
        ["took aa=Ann bb=Bob cc=Cid dd=Dan ee=Eve ff=Fay", "took aa=Gus bb=Hal cc=Ian dd=Jon ee=Kai ff=Leo"];
    assert_eq!(grouped(&mut Learned::default(), &six)[1], Some(own(six[1])), "the sixth tells them apart");
    let five = six.map(|it| &it[..it.len() - " ff=Fay".len()]);
    assert_eq!(grouped(&mut Learned::default(), &five)[1], Some(own(five[0])));
}

#[test]
fn a_letter_in_common_is_no_word_in_common() {
    assert_eq!(begins(&["supplier Globex b c", "supplier Initech b c"]), None);
    assert_eq!(begins(&["supplier Globex bb c", "supplier Initech bb c"]), Some(1));
}

#[test]
fn at_the_end_of_a_group_stands_a_value_and_nothing_else() {
    let greetings = ["Kim", "Bob", "refused"].map(|it| format!("the guide Ann cannot greet to {it}"));
    let groups = grouped(&mut Learned::default(), &greetings.each_ref().map(String::as_str));
    assert_eq!(groups, [None, Some(own(&greetings[0])), None]);
}

#[test]
fn what_is_shown_is_written_as_it_was_said() {
    let mut learned = Learned::default();
    let messages = ["Ann", "Bob", "Kim"].map(|name| format!("order aa={name} was sent (so far)"));
    let groups = grouped(&mut learned, &messages.each_ref().map(String::as_str));
    assert_eq!(learned.shown(&groups[2].unwrap()), Some("order aa=… was sent (so far)"));
}
