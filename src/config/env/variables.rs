//! [`Variables`]: those of the environment that are ours, and what is wrong with
//! them.
//!
//! Invariant: what is wrong is told once, and with no value that could be
//! a credential.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
};

use super::{
    channels::{Channel, EMAIL, SMS},
    clean, path, secrets, suggest,
    table::{Given, VARIABLES, Variable},
};
use crate::error::{Fault, Problem, escaped};

/// The variables that are ours and not empty, and what is wrong with them.
pub(super) struct Variables {
    pub(super) values: BTreeMap<&'static str, String>,
    /// Set, but of no use: already told.
    broken: BTreeSet<&'static str>,
    /// The user's home directory.
    pub(super) home: Option<PathBuf>,
    /// Whether nothing alerts by choice.
    pub(super) is_off: bool,
    pub(super) problems: Vec<Problem>,
    /// What does no harm.
    pub(super) hints: Vec<Problem>,
}

impl Variables {
    pub(super) fn sort(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut sorted = Self {
            values: BTreeMap::new(),
            broken: BTreeSet::new(),
            home: None,
            is_off: false,
            problems: Vec::new(),
            hints: Vec::new(),
        };
        let (mut files, mut strangers, mut quoted) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in vars {
            let name = name.to_string_lossy();
            if is_same(&name, HOME) {
                sorted.home = Some(PathBuf::from(&value)).filter(|home| home.is_absolute());
            }
            let value = value.to_str().map(clean::clean);
            let (known, file) = match known(&name) {
                Some(variable) => (variable, false),
                None => match name.strip_suffix(FILE).and_then(known).filter(|it| it.may_be_in_file()) {
                    Some(variable) => (variable, true),
                    None => {
                        let is_empty = value.is_some_and(|(text, _)| text.is_empty());
                        if !is_empty && strangers.len() < MAX_STRANGERS && suggest::may_be_near(&name) {
                            strangers.push(name.into_owned());
                        }
                        continue;
                    }
                },
            };
            match value {
                Some(("", _)) => (),
                None => sorted.note_broken(known, &name, Fault::new("is not Unicode text")),
                Some((text, had_marks)) => {
                    let had_marks = had_marks || (known.is_list() && clean::entries(text).1);
                    quoted.extend(had_marks.then(|| name.clone().into_owned()));
                    match known.fault(text, file) {
                        Some(fault) => sorted.note_broken(known, &name, fault),
                        None if file => files.push((known, text.to_owned())),
                        None => drop(sorted.values.insert(known.name, text.to_owned())),
                    }
                }
            }
        }
        files.into_iter().for_each(|(variable, path)| sorted.read_file(variable, &path));
        strangers.iter().for_each(|name| sorted.note_stranger(name));
        if !quoted.is_empty() {
            quoted.sort();
            sorted.hints.push(Problem::new(
                quoted.join(", "),
                "the quotation marks around the value were removed",
                "write the value without them; only a shell removes them",
            ));
        }
        sorted
    }

    /// Takes the value of `variable` from the file at `path`.
    fn read_file(&mut self, variable: &'static Variable, path: &str) {
        let name = format!("{}{FILE}", variable.name);
        if self.values.contains_key(variable.name) {
            let what = format!("{} is set, too, and is used", variable.name);
            return self.hints.push(Problem::new(name, what, "set only one of the two"));
        }
        let path = path::path(&Given { text: path, home: self.home.as_deref() });
        match path.and_then(|path| secrets::read(path, variable.is_list())) {
            Ok(secret) => drop(self.values.insert(variable.name, secret)),
            Err(fault) => self.note_broken(variable, &name, fault),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// Who is to be told by `channel`; none if nobody asked for it, or if a
    /// problem that is now told keeps it off.
    pub(super) fn recipients(&mut self, channel: &Channel) -> Option<Vec<String>> {
        if self.broken.iter().any(|name| channel.owns(name)) {
            return None;
        }
        let set = self.values.keys().copied().filter(|name| channel.owns(name)).collect::<Vec<_>>();
        match set[..] {
            [] => None,
            [only] if only == channel.recipients => {
                if !self.is_off {
                    let what = format!("no provider is set up: {}", channel.off);
                    self.problems.push(Problem::new(only, what, format!("set {}", channel.credentials)));
                }
                None
            }
            _ => Some(clean::entries(self.values.get(channel.recipients).map_or("", String::as_str)).0),
        }
    }

    /// True if `channel` cannot be used because variables are missing.
    pub(super) fn lacks(
        &mut self,
        mut missing: Vec<&'static str>,
        recipients: &[String],
        channel: &Channel,
    ) -> bool {
        if missing.is_empty() {
            return false;
        }
        if recipients.is_empty() {
            missing.push(channel.recipients);
        }
        if !self.is_off {
            missing.into_iter().for_each(|name| self.note(name, format!("is not set: {}", channel.off)));
        }
        true
    }

    /// What is wrong with a value that sets something.
    pub(super) fn fault(&mut self, variable: &'static Variable, fault: Fault) {
        self.add(variable, variable.name, fault, &effect(variable));
    }

    pub(super) fn note(&mut self, name: &'static str, what: String) {
        let example = Variable::named(name).map_or("", |variable| variable.example);
        self.problems.push(Problem::new(name, what, format!("set it like `{name}={example}`")));
    }

    /// Says that the variable `name`, if it is set, needs a `feature` that is not there.
    #[cfg(not(all(feature = "postgres", feature = "webhook")))]
    pub(super) fn note_feature(&mut self, name: &str, feature: &str, effect: &str) {
        if let (Some(_), Some(variable)) = (self.get(name), Variable::named(name)) {
            let what = format!("needs the feature {feature}, which this program was built without");
            let mend =
                format!("build it with tracing-alert = {{ version = \"0.1\", features = [\"{feature}\"] }}");
            self.add(variable, variable.name, Fault::new(what).mend(mend), effect);
        }
    }

    /// What is wrong with a value that is of no use at all.
    fn note_broken(&mut self, variable: &'static Variable, name: &str, fault: Fault) {
        self.add(variable, name, fault, &effect(variable));
        self.values.remove(variable.name);
        self.broken.insert(variable.name);
    }

    pub(super) fn add(&mut self, variable: &'static Variable, name: &str, fault: Fault, effect: &str) {
        let example = || format!("set it like `{}={}`", variable.name, variable.example);
        let mend = fault.mend.unwrap_or_else(example);
        self.problems.push(Problem::new(name, format!("{}: {effect}", fault.what), mend));
    }

    /// Says of a name that is none of ours which one it is near to, if it is to
    /// one that is not set. Of ours, also if it is: a second recipient may be lost.
    fn note_stranger(&mut self, given: &str) {
        let name = given.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let (stem, file) = match name.to_ascii_uppercase().strip_suffix(FILE) {
            Some(stem) => (stem.to_owned(), FILE),
            None => (name.to_owned(), ""),
        };
        let can_be = |variable: &&Variable| file.is_empty() || variable.may_be_in_file();
        let mut near = suggest::names(&stem, VARIABLES.iter().filter(can_be).map(|variable| variable.name));
        near.retain(|name| name.starts_with("ALERT_") || !self.values.contains_key(name));
        if !file.is_empty() && near.is_empty() {
            // Somebody expects that it is read.
            if let Some(variable) = known(&stem) {
                let mend = format!("set {} itself", variable.name);
                self.hints.push(Problem::new(
                    escaped(given),
                    "it cannot be read from a file: it is ignored",
                    mend,
                ));
            }
            return;
        }
        if !near.is_empty() {
            let near: Vec<_> = near.into_iter().map(|name| format!("{name}{file}")).collect();
            self.hints.push(Problem::new(
                escaped(given),
                "there is no such variable: it is ignored",
                format!("did you mean {}?", near.join(" or ")),
            ));
        }
    }
}

/// What a wrong value leads to.
fn effect(variable: &Variable) -> String {
    let channel = [SMS, EMAIL].into_iter().find(|channel| channel.owns(variable.name));
    match (channel, variable.default) {
        (Some(channel), _) => channel.off.to_owned(),
        (None, "") => "it is ignored".to_owned(),
        (None, default) => format!("{default} is used"),
    }
}

/// The variable that is called `name`.
fn known(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| is_same(variable.name, name))
}

/// Windows does not tell names apart by their case.
fn is_same(one: &str, other: &str) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}

/// As many names that begin like ours are looked at closely.
const MAX_STRANGERS: usize = 100;

/// What the name of a variable ends with if its value is a file's name.
const FILE: &str = "_FILE";

/// The variable that names the home directory.
pub(in crate::config) const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
