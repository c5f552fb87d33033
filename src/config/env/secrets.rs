//! A credential from a file, as container platforms mount it: `NAME_FILE` names
//! the file.
//!
//! Runs on the caller's thread, at the start: the one thing that is read there.
//! Invariant: waits at most [`PATIENCE`] for it, opens nothing but a regular file,
//! reads at most [`MAX_SECRET_BYTES`], and shows nothing of what it read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::clean;
use crate::{
    error::{Fault, quoted, shown},
    host::{
        signal::Signal,
        thread::{self, Role},
        time::from_now,
    },
};

/// The credential in the file at `path`, without what an editor leaves round it; or the
/// list of them, one a line.
///
/// # Errors
///
/// When it cannot be read, or is no credential; the fault names the path.
pub(super) fn read(path: PathBuf, is_list: bool) -> Result<String, Fault> {
    let given = path.to_string_lossy().into_owned();
    // Somebody may have put the credential itself here.
    let is_path = given.starts_with(['/', '.', '~', '\\'])
        || given.get(1..3).is_some_and(|it| [":\\", ":/"].contains(&it));
    let name = if is_path { quoted(&given) } else { shown(&given) };
    contents(path).and_then(|bytes| text(&bytes, is_list)).map_err(|wrong| {
        Fault::new(format!("the file {name} {wrong}"))
            .mend("give the path of a text file that holds only the credential")
    })
}

/// What is in the file. A mounted file system may never answer: another thread
/// asks, and is left behind then.
fn contents(path: PathBuf) -> Result<Vec<u8>, String> {
    let done = Arc::new(Signal::new());
    let answer = Arc::clone(&done);
    let asked = path.clone();
    let thread = thread::start(Role::Own, READER_THREAD.to_owned(), move || answer.set(look(asked)));
    match thread {
        Ok(_) => {
            let read = done.wait_until(from_now(PATIENCE));
            read.unwrap_or_else(|| Err(format!("did not answer within {PATIENCE:?}")))
        }
        Err(_) => look(path),
    }
}

fn look(path: PathBuf) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read ({error})"),
    };
    let is_file = |metadata: &fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        false if metadata.is_dir() => Err("is a directory".to_owned()),
        false => Err("is not a regular file".to_owned()),
    };
    // First by name: to open a device may do something.
    is_file(&fs::metadata(&path).map_err(cannot)?)?;
    let file = open(path).map_err(cannot)?;
    is_file(&file.metadata().map_err(cannot)?)?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("is larger than {MAX_SECRET_BYTES} bytes"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn open(path: PathBuf) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    // It may have become a pipe meanwhile.
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

#[cfg(not(unix))]
fn open(path: PathBuf) -> io::Result<File> {
    File::open(path)
}

fn text(bytes: &[u8], is_list: bool) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16, but must be UTF-8".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text".to_owned())?;
    match clean::clean(text).0 {
        "" => Err("is empty".to_owned()),
        // Each entry is judged by itself.
        text if is_list => Ok(text.to_owned()),
        text if text.contains(['\n', '\r']) => Err("has more than one line".to_owned()),
        text => match clean::secret_fault(text) {
            Some(fault) => Err(format!("holds text that {}", fault.what)),
            None => Ok(text.to_owned()),
        },
    }
}

/// No credential is nearly as long.
const MAX_SECRET_BYTES: u64 = 4 * 1024;

/// What a file on a healthy disk takes is less than a thousandth of it.
const PATIENCE: Duration = Duration::from_secs(1);

const READER_THREAD: &str = "tracing-alert-secret";
