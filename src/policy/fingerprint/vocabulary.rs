//! Words that say what the text beside them is.
//!
//! Invariant: pure.

use std::collections::HashSet;

use crate::host::fork::Lazy;

/// Words in lower case.
struct Words(HashSet<&'static str>);

impl Words {
    /// Those of `text`, which has a space between two of them.
    fn of(text: &'static str) -> Self {
        Self(text.split(' ').collect())
    }

    fn have(&self, lower: &str) -> bool {
        self.0.contains(lower)
    }

    /// In the singular, or in the plural.
    fn have_noun(&self, lower: &str) -> bool {
        self.have(lower) || lower.strip_suffix('s').is_some_and(|singular| self.have(singular))
    }
}

/// Whether `word`, in lower case, says who: what follows is a person's or an
/// account's name.
pub(super) fn is_who(word: &str) -> bool {
    let word = word.strip_suffix("_name").unwrap_or(word);
    WHO.contains(&word)
}

/// Whether a word after one of [`is_who`] is no name, as in `user service`.
pub(super) fn is_no_name(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.'".contains(&byte) || !byte.is_ascii())
        || is_of_grammar(&lower)
        || NO_NAMES.have_noun(&lower)
        || ["ed", "ing", "tion", "ment", "ity"].iter().any(|end| lower.ends_with(end))
}

/// Whether `lower` only joins other words.
pub(super) fn is_of_grammar(lower: &str) -> bool {
    GRAMMAR.have(lower)
}

/// Whether what follows `lower` tells problems apart: `code`, `column`.
pub(super) fn speaks(lower: &str) -> bool {
    SPEAKS.have(lower)
}

/// Whether a program has but a few of what `lower` is called.
pub(super) fn has_few(lower: &str) -> bool {
    FEW.have_noun(lower)
}

/// Whether a field of this name, like `http.status_code`, tells problems apart.
pub(super) fn tells(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut parts = lower.split(['.', '_']);
    parts.any(|part| TELLS.have(part)) && !lower.ends_with("_id") && !lower.ends_with(".id")
}

/// Whether `lower` is what a part of a system is called, or a product that is one.
pub(super) fn is_component(lower: &str) -> bool {
    has_few(lower) || COMPONENTS.have(lower)
}

/// Whether `lower` says what happens to something, and is no name.
pub(super) fn is_what_happens(lower: &str) -> bool {
    let ends =
        ["ed", "ing", "tion", "sion", "ment", "able", "ible", "ly", "ful", "ity", "ure", "less", "ness"];
    ends.iter().any(|end| lower.ends_with(end)) || HAPPENS.have(lower)
}

/// Whether a word that follows `lower` says what happens.
pub(super) fn is_before_verb(lower: &str) -> bool {
    matches!(
        lower,
        "is" | "was"
            | "are"
            | "were"
            | "be"
            | "been"
            | "not"
            | "cannot"
            | "could"
            | "can"
            | "will"
            | "would"
            | "did"
            | "does"
            | "do"
            | "never"
            | "already"
            | "isn't"
            | "wasn't"
            | "can't"
            | "couldn't"
            | "didn't"
            | "doesn't"
    )
}

/// Whether a name of a type may follow `word`: `expected u8`, but not `user u8`.
pub(super) fn is_before_type(word: &str) -> bool {
    BEFORE_TYPE.have(&word.to_ascii_lowercase())
}

/// Whether `lower` is the name of a primitive type, which a person may have, too.
pub(super) fn is_type(lower: &str) -> bool {
    matches!(lower.as_bytes(), [b'u' | b'i' | b'f', b'0'..=b'9', ..])
        || lower.starts_with("int") && lower.len() == 4
        || lower.starts_with("float") && lower.len() == 6
}

/// Whether `name` ends as files do whose names are as good as ids.
pub(super) fn is_media(name: &str) -> bool {
    let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending);
    ending.is_some_and(|ending| ending.len() <= 4 && MEDIA.have(&ending.to_ascii_lowercase()))
}

/// Whether `text` has a statement in it.
pub(super) fn is_sql(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    SQL.iter().any(|word| lower.contains(word))
}

/// A noun after a number, in the singular.
pub(super) fn singular(word: &str) -> Option<(&str, &str)> {
    let is_plain = word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_plain || ["ss", "us", "is", "as"].iter().any(|end| word.ends_with(end)) {
        return None;
    }
    match word.strip_suffix("ies") {
        Some(stem) => Some((stem, "y")),
        None => word.strip_suffix('s').map(|stem| (stem, "")),
    }
}

/// A verb after such a noun, in the singular.
pub(super) fn singular_verb(word: &str) -> Option<&'static str> {
    Some(match word {
        "are" => "is",
        "were" => "was",
        "have" => "has",
        "do" => "does",
        "remain" => "remains",
        "fail" => "fails",
        "need" => "needs",
        _ => return None,
    })
}

/// The word that `text` ends with.
pub(super) fn last_word(text: &str) -> &str {
    let rest = text.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    text.get(rest.len()..).unwrap_or_default()
}

/// Whether a value of a type follows: `invalid input syntax for type integer: "n/a"`.
pub(super) fn names_type(before: &str) -> bool {
    let Some(before) = before.trim_end().strip_suffix(':') else { return false };
    let mut words = before.rsplit(' ');
    words.next().is_some() && matches!(words.next(), Some("type" | "enum"))
}

const WHO: [&str; 22] = [
    "account",
    "author",
    "buyer",
    "contact",
    "customer",
    "employee",
    "guest",
    "login",
    "owner",
    "patient",
    "payee",
    "payer",
    "player",
    "recipient",
    "seller",
    "student",
    "subscriber",
    "tenant",
    "user",
    "username",
    "usr",
    "visitor",
];

static NO_NAMES: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    access account action activity address age agent answer api app application attempt auth avatar balance button \
    base cache call callback card channel client code config configuration context controller cookie \
    count create creation credential data database db deletion detail device directory disk domain \
    email endpoint entry error event export failure feed field file filter flow folder form format \
    group handler handle history home host id identity image import index info input interface invite \
    job key limit link list lock log login logout lookup mail manager mapping message metadata mode model \
    module name namespace network notification object offset option order page param password path \
    payload permission phase phone photo picture pipeline plan policy pool port preference privilege process \
    profile provider proxy query queue quota rate record registry registration report repository \
    request resource response result role root route row scope search secret segment server service \
    session setting setup sign signup signature size space state status step storage store stream sync \
    system table task team template test thread throttle timeout timezone token topic transfer type \
    update upload url usage validation value vault version view wallet webhook worker write zone me new \
    all other same unknown invalid missing null none nil self anonymous",
    )
});

static GRAMMAR: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    a about after again all already also an and any are as at be because been before being below but by \
    can cannot can't could couldn't did didn't do does doesn't due during each either else ever every \
    few for from had has hasn't have haven't her his how if in instead into is isn't it its itself just \
    may me might more most must my never no nor not now of off on once only or other our out over own \
    per please quite same shall should since so some still such than that the their them then there \
    these they this those though through till to too under unless until up upon us very via was wasn't \
    we were weren't what when where whether which while who whom whose why will with within without \
    won't would yet you your",
    )
});

static BEFORE_TYPE: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "a an as be expected expects find fit for found in into is of or out parse than to type typed types",
    )
});

static MEDIA: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    avi bmp flac gif heic jpeg jpg m4a m4v mkv mov mp3 mp4 mpeg mpg ogg pdf png svg tif tiff wav webm webp",
    )
});

const SQL: [&str; 6] = ["select ", "insert into ", "update ", "delete from ", "where ", " values"];

static SPEAKS: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    action alert argument attribute because cause class code column command constraint directive enum err \
    errno error event exception exit expected field flag found function got header instruction kind \
    keyword level message method near op opcode operation operator option param parameter property reason \
    relation rule signal stage state status step syntax table token type unexpected unknown variant verb with",
    )
});

static TELLS: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    action check code column command component constraint cron errno job kind method operation op outcome \
    phase queue route rpc rule service signal sqlstate stage state status step subsystem table task topic type variant",
    )
});

static FEW: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    answer backend bean binary broker bucket cache call calling certificate channel check class cluster component \
    config configuration connect connected connecting connection consumer container crate cron database db \
    dependency deploy deployment disable enable execute device domain endpoint env environment exchange experiment extension feature file \
    folder format gateway group handler health host image index init initialize integration interface invoke job key language library listener \
    load loading locale lock machine metric migration mode module mount namespace node package partition permission \
    pipeline plan plugin policy pool producer profile program project protocol provider proxy publish queue reach \
    reaching region register registry release replica reply repository request resource response restart role route run running scheduler schema scope script \
    secret server service setting shard sink source start starting stop storage store stream subscribe subsystem table target task team \
    template theme thread tier timezone tool topic trigger upstream var variable volume webhook widget worker \
    workflow zone",
    )
});

static COMPONENTS: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    api app auth aws azure cassandra cdn clickhouse consul dns elastic elasticsearch email etcd frontend ftp gcp github gitlab \
    grpc http imap influxdb kafka kubernetes ldap mail mailgun main mariadb memcached minio mongo mongodb mqtt mysql nats \
    nginx openai oracle paypal postgres postgresql primary rabbitmq redis rpc s3 secondary sendgrid sentry slack sms smtp sns \
    sql sqlite sqs ssh standby stripe svc tcp twilio udp vault web websocket",
    )
});

static HAPPENS: Lazy<Words> = Lazy::new(|| {
    Words::of(
        "\
    absent abort bad broken busy cancel close conflict connect corrupt create crash crypto dead delete deny \
    down drop duplicate empty exist exists expire fail fails failure fatal find full gone halt hang hit \
    illegal incomplete invalid join late leave locked lookup loss lost malformed mismatch miss missing none \
    null offline ok old online open overflow panic parse pause pending poison read refuse reject reset \
    restart resume retry save scan seek send slow stale start stop stuck sync timeout truncated unavailable \
    undefined unhealthy unreachable update upload wait wrong write yet zero again too",
    )
});
