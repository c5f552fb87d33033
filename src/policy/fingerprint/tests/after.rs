//! What a word says about the value behind it, and what is a code there.

use super::gives;
use crate::policy::fingerprint::after::{After, Code, after, is_code};

#[test]
fn a_code_is_as_long_as_its_kind_is() {
    gives(
        |(code, value): (Code, &str)| is_code(code, value),
        &[
            // Anywhere: an E and two to five digits.
            ((Code::No, "E1"), false),
            ((Code::No, "E12"), true),
            ((Code::No, "E12345"), true),
            ((Code::No, "E123456"), false),
            ((Code::No, "E12a"), false),
            ((Code::Refused, "E12"), true),
            ((Code::Refused, "550"), false),
            // Behind what is a code: five digits, ten capitals, or eight digits behind 0x.
            ((Code::Yes, "12345"), true),
            ((Code::Yes, "123456"), false),
            ((Code::Yes, "ABCDEFGHI1"), true),
            ((Code::Yes, "ABCDEFGHIJ1"), false),
            ((Code::Yes, "Ab1"), false),
            ((Code::Yes, "abc12"), false),
            ((Code::Yes, "0x1234abcd"), true),
            ((Code::Yes, "0X1234abcd"), true),
            ((Code::Yes, "0x1234abcde"), false),
            ((Code::Yes, "0xzz"), false),
            ((Code::Adjacent, "13"), true),
            ((Code::Adjacent, "123456"), false),
            // How it ended: at most three digits.
            ((Code::Exit, "1"), true),
            ((Code::Exit, "137"), true),
            ((Code::Exit, "1370"), false),
            ((Code::Exit, "a1"), false),
            ((Code::Exit, "E0308"), true),
            // What was answered: only an HTTP status that is an error.
            ((Code::Status, "404"), true),
            ((Code::Status, "503"), true),
            ((Code::Status, "302"), false),
            ((Code::Status, "5031"), false),
            ((Code::Status, "5ab"), false),
            // Why it was refused: such a status, or one to three letters and two to four digits.
            ((Code::Refusal, "550"), true),
            ((Code::Refusal, "E0308"), true),
            ((Code::Refusal, "R03"), true),
            ((Code::Refusal, "ABC1234"), true),
            ((Code::Refusal, "ABCD12"), false),
            ((Code::Refusal, "R3"), false),
            ((Code::Refusal, "R12345"), false),
            ((Code::Refusal, "R03x"), false),
            ((Code::Refusal, "abc12"), false),
            ((Code::Refusal, "17"), false),
        ],
    );
}

#[test]
fn a_word_says_what_the_number_behind_it_is() {
    let words = "code status errno sqlstate exit signal http ora rc retcode exitcode errcode hresult ntstatus \
                 http_status Status statusCode grpcStatus";
    let all = |words: &str, code: Code| {
        words.split(' ').for_each(|word| assert_eq!(after(word).code, code, "{word}"));
    };
    all(words, Code::Yes);
    all("error err alert Error os_error", Code::Adjacent);
    all("returned responded response answered replied got with received gave sent", Code::Status);
    all("exited terminated exits quit", Code::Exit);
    all("rejected bounced last_failed", Code::Refused);
    all("order barcode code_of", Code::No);
}

#[test]
fn a_word_says_whether_the_text_behind_it_was_given() {
    for word in "entry parse parsing value string literal str user customer bad_value".split(' ') {
        assert!(after(word).is_given, "{word}");
    }
    for word in ["order", "value_of", "strings"] {
        assert!(!after(word).is_given, "{word}");
    }
}

#[test]
fn what_stands_between_decides_what_is_left() {
    let behind = |(code, separator): (Code, Option<char>)| {
        let left = After { code, is_given: true, is_counted: true }.behind(separator);
        (left.code, left.is_given, left.is_counted)
    };
    gives(
        behind,
        &[
            ((Code::Yes, Some(' ')), (Code::Yes, true, true)),
            ((Code::Yes, Some('[')), (Code::Yes, true, true)),
            ((Code::Yes, Some(':')), (Code::Yes, false, false)),
            ((Code::Yes, Some('=')), (Code::Yes, true, false)),
            ((Code::Yes, Some('(')), (Code::Yes, true, false)),
            ((Code::Yes, Some('"')), (Code::Yes, true, false)),
            ((Code::Yes, Some('\'')), (Code::Yes, true, false)),
            ((Code::Yes, Some('\\')), (Code::Yes, true, false)),
            ((Code::Yes, Some('#')), (Code::Yes, true, false)),
            ((Code::Yes, Some('-')), (Code::Yes, true, false)),
            ((Code::Yes, Some('/')), (Code::Yes, true, false)),
            ((Code::Yes, Some('.')), (Code::No, false, false)),
            ((Code::Yes, None), (Code::No, false, false)),
            ((Code::Refused, Some(':')), (Code::Refusal, false, false)),
            ((Code::Refused, Some(' ')), (Code::Refused, true, true)),
            ((Code::Adjacent, Some(':')), (Code::Status, false, false)),
            ((Code::Adjacent, Some(' ')), (Code::Adjacent, true, true)),
            ((Code::Adjacent, Some('(')), (Code::Adjacent, true, false)),
            ((Code::Adjacent, Some('"')), (Code::No, true, false)),
            ((Code::Adjacent, Some('\'')), (Code::No, true, false)),
            ((Code::Adjacent, Some('\\')), (Code::No, true, false)),
            ((Code::Adjacent, Some('/')), (Code::No, true, false)),
        ],
    );
}
