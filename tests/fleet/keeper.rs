//! Servers that end with who started them, however that ends: by a panic, at the end of the
//! process, or by `kill -9`.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A run of `cluster.sh` that keeps a server until its stdin ends.
pub(crate) struct Keeper {
    /// What the server has its files in. The script removes it.
    pub(crate) directory: PathBuf,
    pub(crate) port: u16,
    script: Child,
}

impl Keeper {
    /// Starts a server in a directory of its own.
    ///
    /// # Errors
    ///
    /// Fails with what the script said if the server does not start.
    pub(crate) fn start(action: &str, arguments: &[String]) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("tracing-alert-fleet-").tempdir().unwrap().keep();
        let mut script = Command::new("sh");
        script.arg(SCRIPT).arg(action).arg(&directory).args(arguments);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(script.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        match first.trim_end().parse() {
            Ok(port) => Ok(Self { directory, port, script }),
            Err(_) => {
                let mut said = first;
                script.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                script.wait().unwrap();
                Err(said)
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        drop(self.script.wait());
    }
}

/// Starts the server again that was killed in `directory`.
pub(crate) fn start_again(directory: &Path) {
    let output = Command::new("sh").args([SCRIPT, "start"]).arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/cluster.sh");
