//! Which database is meant: the one that is named, or the only one there is.

use std::{
    ffi::OsStr,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use tracing_alert::operate::{Found, find};

use crate::{Failure, args::Common, settings::Variables};

/// The file that the arguments or the settings name; else the only one that is found, or
/// the one that whoever sits at a terminal chooses.
pub(crate) fn database(common: &Common, settings: &Variables) -> Result<PathBuf, Failure> {
    let set = |name: &str| settings.get(OsStr::new(name)).filter(|value| !value.is_empty());
    if let Some(path) = &common.database {
        return Ok(path.clone());
    }
    if common.app.is_none()
        && let Some(path) = set("ALERT_DATABASE")
    {
        if path == ":memory:" {
            let why =
                "ALERT_DATABASE is :memory:, so the program keeps its alerts where nobody else sees them";
            return Err(Failure::Say(why.to_owned()));
        }
        return Ok(path.into());
    }
    let name = set("ALERT_APP_NAME").map(|name| name.to_string_lossy().into_owned());
    let app = common.app.clone().or(name);
    let mut found = find(app.as_deref());
    match found.len() {
        0 => Err(Failure::Say(none(app.as_deref()))),
        1 => Ok(found.remove(0).path),
        _ if io::stdin().is_terminal() && io::stderr().is_terminal() && !common.json => ask(&found),
        _ => Err(Failure::Say(format!(
            "there are several databases; name one by --database:\n{}",
            listed(&found)
        ))),
    }
}

fn none(app: Option<&str>) -> String {
    let of = app.map(|app| format!(" of {app}")).unwrap_or_default();
    format!(
        "no database{of} is found where programs keep theirs; name it by --database FILE (the program's \
         ALERT_DATABASE), or run the command as the program's user"
    )
}

fn listed(found: &[Found]) -> String {
    let line = |(number, found): (usize, &Found)| {
        let program = found.program.as_ref().map(|program| format!("  ({program})")).unwrap_or_default();
        format!("  {}  {}{program}", number.saturating_add(1), found.path.display())
    };
    found.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn ask(found: &[Found]) -> Result<PathBuf, Failure> {
    let mut terminal = io::stderr();
    write!(terminal, "Several databases:\n{}\nWhich one? ", listed(found))?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let number = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let chosen = number.and_then(|number| found.get(number));
    chosen.map(|found| found.path.clone()).ok_or_else(|| Failure::Say("none of them was chosen".to_owned()))
}
