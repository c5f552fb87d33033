//! Who has a file open: whoever shares the lock beside it.
//!
//! Invariant: only what the system lists is read; no lock is taken to find out.

use std::{collections::BTreeSet, fs};

use super::Sqlite;

impl Sqlite {
    /// The processes that have the file open besides this one; none where the system does
    /// not list locks.
    pub(crate) fn holders(&self) -> Option<BTreeSet<u32>> {
        self._lock.as_ref()?;
        let own = std::process::id();
        #[cfg(unix)]
        let node = std::os::unix::fs::MetadataExt::ino(&self._lock.as_ref()?.metadata().ok()?);
        #[cfg(not(unix))]
        let node = 0;
        sharing(&fs::read_to_string("/proc/locks").ok()?, own, node)
    }
}

/// Those who share the lock that `own` shares of the file with this number, in a list
/// like Linux has it (`proc_locks(5)`). Its device is as our own line has it: what a
/// file says of that is another one on some file systems.
fn sharing(list: &str, own: u32, node: u64) -> Option<BTreeSet<u32>> {
    let shared = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, "READ", process, file, ..] => {
                Some((process.parse::<u32>().ok()?, file.to_owned()))
            }
            _ => None,
        }
    };
    let all: Vec<_> = list.lines().filter_map(shared).collect();
    let is_node = |file: &str| file.rsplit(':').next().and_then(|it| it.parse().ok()) == Some(node);
    let (_, ours) = all.iter().find(|(process, file)| *process == own && is_node(file))?;
    // Whoever is in another container has the number 0.
    let others = all.iter().filter(|(process, file)| file == ours && ![0, own].contains(process));
    Some(others.map(|(process, _)| *process).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
1: FLOCK  ADVISORY  READ 4713 fd:01:1048 0 EOF
2: FLOCK  ADVISORY  READ 4711 fd:01:1048 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4720 fd:01:1048 0 EOF
3: FLOCK  ADVISORY  READ 4711 fd:01:1048 0 EOF
4: FLOCK  ADVISORY  READ 4712 fd:02:1048 0 EOF
5: FLOCK  ADVISORY  WRITE 4714 fd:01:1049 0 EOF
6: POSIX  ADVISORY  READ 4715 fd:01:1048 128 128
7: FLOCK  ADVISORY  READ 0 fd:01:1048 0 EOF
8: OFDLCK ADVISORY  READ -1 fd:01:1048 0 EOF
";

    #[test]
    fn whoever_shares_our_lock_has_the_file_open() {
        assert_eq!(sharing(LIST, 4713, 1048), Some(BTreeSet::from([4711])));
        assert_eq!(sharing(LIST, 4712, 1048), Some(BTreeSet::new()));
        assert_eq!(sharing(LIST, 4716, 1048), None, "our own lock is not listed, so the list is not whole");
        assert_eq!(sharing("", 4713, 1048), None);
    }
}
