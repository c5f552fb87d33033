//! The settings of the program: its environment, as the command has it, and files of it.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use crate::{Failure, args::Common};

/// The variables by name.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// What the environment says, and a file before it: a variable that is set in both is as
/// in the file, which was named.
pub(crate) fn read(common: &Common) -> Result<Variables, Failure> {
    let mut variables: Variables = std::env::vars_os().collect();
    if let Some(path) = &common.env_file {
        variables.extend(file(path)?);
    }
    Ok(variables)
}

fn file(path: &Path) -> Result<Variables, Failure> {
    let failed = |what: String| Failure::Say(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut variables = Variables::new();
    for (number, line) in text.lines().enumerate() {
        match assignment(line) {
            Ok(None) => (),
            Ok(Some((name, value))) => {
                variables.insert(name.into(), value.into());
            }
            Err(what) => return Err(failed(format!("line {}: {what}", number.saturating_add(1)))),
        }
    }
    Ok(variables)
}

/// What a line assigns: as systemd's and Docker's files of variables have it, and a
/// shell's that assigns nothing but texts.
fn assignment(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    // What it assigns may be a secret: it is not shown.
    let (name, value) = line.split_once('=').ok_or("it is none like NAME=value")?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err("what stands before the = is no name of a variable");
    }
    let value = value.trim();
    let unquoted = match value.as_bytes() {
        [quote @ (b'"' | b'\''), .., last] if quote == last => &value[1..value.len().saturating_sub(1)],
        [b'"' | b'\'', ..] => return Err("a quotation mark is missing at its end"),
        _ => value,
    };
    Ok(Some((name.to_owned(), unquoted.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, String)> {
        assignment(line).unwrap()
    }

    #[test]
    fn a_line_assigns_one_variable() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(read("ALERT_PHONE=+1206"), pair("ALERT_PHONE", "+1206"));
        assert_eq!(read(" export A = b=c "), pair("A", "b=c"));
        assert_eq!(read("A='b c'"), pair("A", "b c"));
        assert_eq!(read("A=\"b # c\""), pair("A", "b # c"));
        assert_eq!(read("A="), pair("A", ""));
        assert_eq!((read("# A=b"), read("; A=b"), read("  ")), (None, None, None));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_shown() {
        for line in ["SG.secret", "A B=SG.secret", "=SG.secret", "A=\"SG.secret"] {
            let what = assignment(line).unwrap_err();
            assert!(!what.contains("secret"), "{what}");
        }
    }
}
