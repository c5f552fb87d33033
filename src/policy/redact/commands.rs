//! Commands of well-known programs and protocols that take a secret in a place or
//! behind a flag that says nothing elsewhere.

use std::ops::Range;

use super::{
    chance,
    clean::Found,
    keys::is_one_of,
    look, looked,
    vocabulary::{NOTHING, PROSE, TYPES},
};
use crate::host::fork::Lazy;

/// The secrets among the arguments of the command that `run` names.
pub(super) fn all(text: &str, run: &Range<usize>) -> Vec<Found<'static>> {
    let is_call = text[run.end..].starts_with('(');
    let name = &text[run.clone()];
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let name = if is_call { name.rsplit('.').next().unwrap_or(name) } else { name };
    let letter = usize::from(name.as_bytes().first().map_or(0, |byte| byte & 0x1F));
    let is_it = |command: &str| {
        command
            .strip_suffix('(')
            .map_or(command == name, |command| is_call && command.eq_ignore_ascii_case(name))
    };
    // Who logs in by a flag gives a password by one, whatever the program.
    let before = &text[..run.start];
    let is_flag = match before.bytes().next_back() {
        Some(b'-') => before.trim_end_matches('-').ends_with([' ', '"', '\'', ',', '[', '(']),
        Some(b'/') => before.ends_with(" /") && !text[run.end..].starts_with(['?', '/', '.']),
        _ => false,
    };
    let is_user = is_flag && USERS.contains(&name);
    let is_password = is_flag && PASSWORDS.iter().any(|flag| flag.trim_start_matches(['-', '/']) == name);
    let rows = BY_LETTER[letter].iter().filter(|(command, ..)| is_it(command));
    let mut rows = rows.map(|(_, word, how)| (*word, how)).peekable();
    let is_login = is_call
        && LOGINS.iter().any(|end| {
            let name = name.trim_end_matches("_s").trim_end_matches("Async");
            name.len()
                .checked_sub(end.len())
                .and_then(|from| name.get(from..))
                .is_some_and(|it| it.eq_ignore_ascii_case(end))
        });
    if rows.peek().is_none() && !is_user && !is_password && !is_login {
        return Vec::new();
    }
    let arguments = arguments(text, run.end);
    let is_value = |range: &Range<usize>, is_loose: bool| is_value(&text[range.clone()], is_loose);
    let behind = |flag: &str, is_loose: bool| {
        let (index, argument) =
            arguments.iter().enumerate().find(|(_, argument)| text[(*argument).clone()].starts_with(flag))?;
        let attached = argument.start + flag.len()..argument.end;
        // What stands right at it may be more of its name.
        let is_more = flag.len() > 2 || !look::is_mixed(&text[attached.clone()]);
        let range = match attached.is_empty() {
            true => arguments.get(index + 1)?.clone(),
            false if (is_more || flag.starts_with('/')) && !flag.ends_with([':', '=']) => return None,
            false => attached,
        };
        Some(range).filter(|range| is_value(range, is_loose))
    };
    let first = arguments.first().filter(|_| is_user || is_password).cloned();
    let mut found: Vec<_> = first
        .into_iter()
        .filter_map(|argument| {
            let value = &text[argument.clone()];
            if is_user {
                let (user, rest) = value.split_once([':', '%'])?;
                // Of a shell's variable, only the name is there.
                let is_cased =
                    rest.len() >= 6 && rest.chars().any(char::is_uppercase) && !rest.starts_with('$');
                return (look::is_mixed(rest) || look::is_joined(rest) || is_cased || chance::is_made(rest))
                    .then_some(argument.start + user.len() + 1..argument.end);
            }
            chance::is_chosen(value).then_some(argument)
        })
        .collect();
    if is_user {
        let is_word = |range: &Range<usize>| {
            let value = &text[range.clone()];
            let is_quoted = text[..range.start].ends_with(['"', '\'']);
            let is_own = ["u", "U", "user", "username", "login"].contains(&name)
                && is_quoted | (value.len() >= MIN_PLAIN);
            look::is_mixed(value)
                || (is_quoted || is_own) && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        };
        found.extend(
            PASSWORDS
                .iter()
                .filter_map(|flag| behind(flag, true).filter(|range| flag.len() > 3 || is_word(range))),
        );
    }
    if is_login {
        // Who is named first logs in with what is last.
        let quoted =
            arguments.iter().take(MAX_OF_PROTOCOL).filter(|range| text[..range.start].ends_with(['"', '\'']));
        let is_sure = quoted.count() > 1;
        found.extend(
            arguments
                .iter()
                .take(MAX_OF_PROTOCOL)
                .rev()
                .find(|range| text[..range.start].ends_with(['"', '\'']) && is_value(range, is_sure))
                .cloned(),
        );
    }
    for (word, how) in rows {
        let from = match word {
            "" => Some(0),
            word => arguments.iter().position(|argument| &text[argument.clone()] == word).map(|at| at + 1),
        };
        let Some(arguments) = from.and_then(|from| arguments.get(from..)) else { continue };
        found.extend(match *how {
            Flag(flag) => behind(flag, true),
            Attached(flag) => arguments.iter().find_map(|argument| {
                let rest = text[argument.clone()].strip_prefix(flag)?;
                let is_apart = rest.is_empty() && text[argument.end..].starts_with(['\'', '"']);
                let next = || arguments.iter().find(|next| next.start > argument.end).cloned();
                let range = if is_apart { next()? } else { argument.end - rest.len()..argument.end };
                Some(range).filter(|range| is_value(range, true))
            }),
            User(flag) => arguments
                .iter()
                .position(|argument| has_flag(&text[argument.clone()], flag))
                .and_then(|index| {
                    let argument = arguments.get(index + 1)?;
                    let (user, _) = text[argument.clone()].split_once([':', '%', ','])?;
                    Some(argument.start + user.len() + 1..argument.end).filter(|range| is_value(range, true))
                }),
            Argument(index) => arguments.get(index).cloned().filter(|range| {
                let is_quoted = text[..range.start].ends_with(['"', '\'']);
                (is_quoted || !is_call) && is_value(range, !word.is_empty() || is_quoted)
            }),
            Last => arguments[..MAX_OF_PROTOCOL.min(arguments.len())]
                .iter()
                .rev()
                .find(|range| is_value(range, false))
                .cloned(),
            Piped => {
                let pipe = arguments.iter().position(|argument| &text[argument.clone()] == "|");
                let is_read = |argument: &Range<usize>| {
                    READERS.iter().any(|reader| text[argument.clone()].contains(reader))
                };
                let last = |range: &Range<usize>| {
                    text[range.clone()]
                        .split_once(':')
                        .map_or_else(|| range.clone(), |(user, _)| range.start + user.len() + 1..range.end)
                };

                arguments.first().map(last).filter(|range| {
                    let near = &text[range.end..text.floor_char_boundary(range.end + MAX_LINE_BYTES)];
                    let is_asked = near.contains(" -S") || near.contains("-stdin");
                    is_value(range, is_asked)
                        && pipe.is_some_and(|pipe| arguments[pipe..].iter().any(is_read))
                })
            }
            NextLine => next_line(text, run.end),
            Announced => announced(text, run.end),
            Only => match arguments {
                [only] if text[run.end..].starts_with(' ') => {
                    let from = text.ceil_char_boundary(run.start.saturating_sub(MAX_LINE_BYTES / 4));
                    let is_behind_user =
                        ["USER ", "user "].iter().any(|user| text[from..run.start].contains(user));
                    Some(only.clone()).filter(|range| is_value(range, is_behind_user))
                }
                _ => None,
            },
        });
    }
    found.into_iter().map(|range| Found { range, rule: "password" }).collect()
}

/// Whether an argument can be a secret; one that is not sure to be has to look so.
fn is_value(value: &str, is_loose: bool) -> bool {
    let word = value.trim_end_matches([':', ',', '.']);
    let is_name = is_one_of(value, NOTHING)
        || is_one_of(value.trim_end_matches(['!', '?']), TYPES)
        || value.trim_end_matches('=').contains('=') && !is_loose
        || !is_loose && look::is_algorithm(value)
        || is_one_of(word, PROSE);
    let is_named = look::is_named(value);
    let is_placeholder = value.starts_with(['-', '$', '<', '{', '[', '%', '|', '*'])
        || value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    !is_name
        && !is_placeholder
        && !is_named
        && value.len() >= 3
        && !look::is_dated(value)
        && !look::is_masked(value)
        && (is_loose || look::is_mixed(word) || look::is_mixed(value))
}

/// Whether `argument` is the flag, or several of one letter of which that is the last.
fn has_flag(argument: &str, flag: &str) -> bool {
    let joined = argument.strip_prefix('-').zip(flag.strip_prefix('-'));
    argument == flag
        || joined.is_some_and(|(these, one)| {
            one.len() == 1
                && (2..=4).contains(&these.len())
                && these.ends_with(one)
                && these.bytes().all(|byte| byte.is_ascii_alphabetic())
        })
}

/// The last of the texts behind `at` of which it is said how long they are, as Redis
/// and IMAP do: `$10`, `{10}`, and on the next line so many bytes.
fn announced(text: &str, at: usize) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + MAX_LINE_BYTES)];
    let line = &near[..near.floor_char_boundary(MAX_LINE_BYTES / 4)];
    looked(line.len());
    let mut rest = &near[line.find(['$', '{']).filter(|at| !line[..*at].trim_end().contains('\n'))?..];
    let mut found = None;
    while let Some(announced) = rest.strip_prefix(['$', '{']) {
        let digits = announced.bytes().take(4).take_while(u8::is_ascii_digit).count();
        let Some(length) = announced[..digits].parse::<usize>().ok().filter(|length| *length >= 3) else {
            break;
        };
        let value = announced[digits..].trim_start_matches(['}', '+']).trim_start_matches(['\r', '\n']);
        // A server says that it is ready.
        let value =
            value.strip_prefix("+ ").and_then(|ready| Some(ready.split_once('\n')?.1)).unwrap_or(value);
        let Some(after) = value.get(length..).filter(|_| !value[..length].contains('\n')) else { break };
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        found = Some(start..start + length);
        looked(length);
        rest = after.trim_start_matches(['\r', '\n']);
    }
    found.filter(|range| is_value(&text[range.clone()], true))
}

/// What answers, on the next line, to a server that asks for it: base64.
fn next_line(text: &str, at: usize) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + MAX_LINE_BYTES)];
    let (asks, rest) = near.split_once('\n')?;
    if asks.trim().len() > 16 {
        return None;
    }
    let line = rest
        .trim_start_matches(['C', ':', ' ', '>', '<'])
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches(['"', '\'', ' ', '\r']);
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    let is_it =
        line.len() >= 8 && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    is_it.then_some(start..start + line.len())
}

/// The arguments on the line behind `at`, as a shell or a list shows them.
fn arguments(text: &str, at: usize) -> Vec<Range<usize>> {
    let near = &text[..text.floor_char_boundary(at + MAX_LINE_BYTES)];
    let bytes = near.as_bytes();
    let mut arguments = Vec::new();
    let mut at = at;
    while arguments.len() < MAX_ARGUMENTS
        && at < bytes.len()
        && bytes[at] != b'\n'
        && bytes[at] != b'`'
        && !near[at..].starts_with("\\n")
    {
        if b" \t,\"'[]()\\:=".contains(&bytes[at]) {
            at += 1;
            continue;
        }
        let quote = bytes[at - 1];
        let is_end = |byte: &u8| match quote {
            b'"' | b'\'' => *byte == quote || *byte == b'\n',
            _ => byte.is_ascii_whitespace() || b"\"'`\\(".contains(byte),
        };
        let length = bytes[at..].iter().position(is_end).unwrap_or(bytes.len() - at);
        let whole = &near[at..at + length];
        let length = if quote == b'"' || quote == b'\'' {
            length
        } else {
            whole.trim_end_matches([',', ']', ')', ';', '.', ':']).len().max(1)
        };
        arguments.push(at..at + length);
        at += length.max(1);
    }
    looked(at.saturating_sub(near.len().saturating_sub(MAX_LINE_BYTES)));
    arguments
}

/// Where a command has its secret.
enum How {
    /// Behind the flag, or right at it.
    Flag(&'static str),
    /// Right at the flag; what is behind it is something else.
    Attached(&'static str),
    /// Behind the flag, and a user's name.
    User(&'static str),
    /// In this place.
    Argument(usize),
    /// Where the first ones end.
    Last,
    /// First, if what is piped to reads it as one.
    Piped,
    /// On the next line.
    NextLine,
    /// After how long it is.
    Announced,
    /// Behind it, with nothing else on the line.
    Only,
}

use How::{Announced, Argument, Attached, Flag, Last, NextLine, Only, Piped, User};

/// Flags of a user, and those of a password that follow one.
const USERS: &[&str] = &["u", "U", "user", "username", "xu", "ru", "l", "login", "id", "a", "auth"];
const PASSWORDS: &[&str] = &[
    "-p", "-P", "-k", "-K", "-w", "-W", "-A", "-X", "-xp", "-pw", "-s", "-pass", "--pass", "/rp", "/p", "/P",
];

/// How functions end that are given a password last.
const LOGINS: &[&str] =
    &["bind", "login", "auth", "authenticate", "connect", "password", "credentials", "signin", "sign_in"];

/// What reads a password from a pipe.
#[rustfmt::skip]
const READERS: &[&str] = &[
    "-stdin", "--stdin", "-S", "chpasswd", "put", "passwd", "-on-stdin", "secret", "cryptsetup", "smbpasswd", "kinit", "pass:stdin", "-passin",
    "--passphrase-fd", "--with-token",
];

/// A program or command, the argument before which there is none, and how.
type Command = (&'static str, &'static str, How);

#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    ("curl", "", User("-u")), ("curl", "", User("--user")), ("curl", "", User("-U")), ("curl", "", User("--proxy-user")), ("http", "", User("-a")), ("https", "", User("-a")),
    ("mysql", "", Attached("-p")), ("mysqldump", "", Attached("-p")), ("mysqladmin", "", Attached("-p")), ("mariadb", "", Attached("-p")), ("mysqlimport", "", Attached("-p")),
    ("sshpass", "", Flag("-p")), ("docker", "login", Flag("-p")), ("podman", "login", Flag("-p")), ("buildah", "login", Flag("-p")), ("oras", "login", Flag("-p")), ("crane", "login", Flag("-p")), ("az", "login", Flag("-p")),
    ("oc", "login", Flag("-p")), ("redis-cli", "", Flag("-a")), ("valkey-cli", "", Flag("-a")), ("mongo", "", Flag("-p")), ("mongosh", "", Flag("-p")), ("mongodump", "", Flag("-p")), ("mongorestore", "", Flag("-p")),
    ("ldapsearch", "", Flag("-w")), ("ldapmodify", "", Flag("-w")), ("ldapadd", "", Flag("-w")), ("ldapwhoami", "", Flag("-w")), ("smbclient", "", User("-U")), ("rpcclient", "", User("-U")),
    ("sqlcmd", "", Flag("-P")), ("bcp", "", Flag("-P")), ("isql", "", Flag("-P")), ("tsql", "", Flag("-P")), ("zip", "", Flag("-P")), ("unzip", "", Flag("-P")), ("7z", "", Attached("-p")), ("7za", "", Attached("-p")), ("rar", "", Attached("-hp")), ("unrar", "", Attached("-p")),
    ("mosquitto_pub", "", Flag("-P")), ("mosquitto_sub", "", Flag("-P")), ("ipmitool", "", Flag("-P")), ("snmpget", "", Flag("-A")), ("snmpwalk", "", Flag("-A")), ("snmpwalk", "", Flag("-X")), ("snmpwalk", "", Flag("-c")), ("snmpget", "", Flag("-c")),
    ("xfreerdp", "", Attached("/p:")), ("rdesktop", "", Flag("-p")), ("lftp", "", User("-u")), ("htpasswd", "", Last), ("rabbitmqctl", "add_user", Argument(1)), ("rabbitmqctl", "change_password", Argument(1)),
    ("rabbitmqadmin", "", Flag("-p")), ("cqlsh", "", Flag("-p")), ("clickhouse-client", "", Attached("--password=")), ("influx", "", Flag("-t")), ("keytool", "", Flag("-storepass")), ("keytool", "", Flag("-keypass")),
    ("openssl", "", Attached("pass:")), ("openssl", "", Flag("-K")), ("kafka-configs", "", Attached("password=")), ("neo4j-admin", "", Last), ("cypher-shell", "", Flag("-p")), ("svn", "", Flag("--password")), ("restic", "", Flag("-p")),
    ("psexec", "", Flag("-p")), ("net", "use", Last), ("chpasswd", "", Last), ("useradd", "", Flag("-p")), ("usermod", "", Flag("-p")), ("ssh-keygen", "", Flag("-N")), ("ssh-keygen", "", Flag("-P")), ("vncpasswd", "", Last), ("wpa_passphrase", "", Argument(1)),
    ("enable", "secret", Last), ("enable", "password", Last), ("snmp-server", "community", Argument(0)), ("tacacs-server", "key", Last), ("radius-server", "key", Last), ("neighbor", "password", Last), ("cargo", "login", Argument(0)), ("gh", "secret", Flag("--body")), ("virsh", "secret-set-value", Argument(1)), ("jenkins-cli.jar", "", User("-auth")), ("java", "", User("-auth")),
    ("openssl", "", Flag("-k")), ("ldappasswd", "", Flag("-w")), ("ldappasswd", "", Flag("-s")), ("gpg-preset-passphrase", "", Flag("-P")), ("schtasks", "", Flag("/rp")), ("echo", "", Piped), ("printf", "", Piped), ("334", "", NextLine),
    ("crypt(", "", Argument(0)), ("pgp_sym_encrypt(", "", Argument(1)), ("pgp_sym_decrypt(", "", Argument(1)), ("aes_encrypt(", "", Argument(1)), ("aes_decrypt(", "", Argument(1)), ("encrypt(", "", Argument(1)), ("decrypt(", "", Argument(1)),
    ("Simple(", "", Argument(0)), ("sign(", "", Argument(1)), ("Sequelize(", "", Argument(2)), ("net", "user", Argument(1)), ("rootpw", "", Last), ("ConvertTo-SecureString", "", Argument(0)), ("mkpasswd", "", Last), ("PassCmd", "", Last),
    ("AUTH", "PLAIN", Argument(0)), ("AUTH", "LOGIN", Argument(0)), ("AUTHENTICATE", "", Last), ("AUTH", "", Last), ("LOGIN", "", Argument(1)), ("PASS", "", Only), ("OPER", "", Argument(1)), ("IDENTIFY", "", Last), ("SETUSER", "", Attached(">")), ("ADDUSER", "", Argument(1)),
    ("AUTH", "", Announced), ("auth", "", Announced), ("LOGIN", "", Announced), ("login", "", Announced), ("HELLO", "", Announced),
    ("machine", "login", Flag("password")), ("AT", "+CWJAP=", Argument(1)), ("AT", "+CPIN=", Argument(0)),
    ("auth", "plain", Argument(0)), ("SASL", "PLAIN", Last), ("NICKSERV", "", Last), ("NickServ", "", Last),
];

/// The commands by their first letter, whatever its case.
static BY_LETTER: Lazy<Vec<Vec<&'static Command>>> = Lazy::new(|| {
    let mut rows = vec![Vec::new(); 32];
    for row in COMMANDS {
        rows[usize::from(row.0.as_bytes()[0] & 0x1F)].push(row);
    }
    rows
});

/// How far behind a command its arguments are looked for.
const MAX_LINE_BYTES: usize = 256;
const MAX_ARGUMENTS: usize = 24;

/// A shorter word behind a flag of one letter may be the name of something.
const MIN_PLAIN: usize = 8;

/// Protocols' commands are short, sentences are not.
const MAX_OF_PROTOCOL: usize = 4;
