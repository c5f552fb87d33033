//! Writes to stderr without a wait, and without the standard library's lock.
//!
//! Invariant: writes nothing where stderr may not take it at once.

/// How many bytes of `line` stderr takes at once, and gets.
#[cfg(unix)]
pub(super) fn write(line: &[u8]) -> usize {
    write_to(libc::STDERR_FILENO, line)
}

/// A pipe with room takes no more than [`PART_BYTES`] for sure: before each so many it
/// is asked again.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library locks stderr")]
fn write_to(stderr: libc::c_int, line: &[u8]) -> usize {
    let mut taken = 0;
    for part in line.chunks(PART_BYTES) {
        let mut asked = libc::pollfd { fd: stderr, events: libc::POLLOUT, revents: 0 };
        // SAFETY: there is one `pollfd`, and the part is as long as it says.
        let written = unsafe {
            if libc::poll(&raw mut asked, 1, 0) != 1 || asked.revents != libc::POLLOUT {
                break;
            }
            libc::write(stderr, part.as_ptr().cast(), part.len())
        };
        let written = usize::try_from(written).unwrap_or(0);
        taken += written;
        if written < part.len() {
            break;
        }
    }
    taken
}

/// `PIPE_BUF`: elsewhere, what POSIX promises.
#[cfg(unix)]
const PART_BYTES: usize = if cfg!(target_os = "linux") { 4_096 } else { 512 };

/// How many bytes of `line` stderr takes at once, and gets: none of a pipe, as it
/// cannot be asked whether it has room.
#[cfg(windows)]
#[expect(unsafe_code, reason = "the standard library locks stderr")]
pub(super) fn write(line: &[u8]) -> usize {
    use windows_sys::Win32::{
        Storage::FileSystem::{FILE_TYPE_CHAR, FILE_TYPE_DISK, GetFileType, WriteFile},
        System::Console::{GetStdHandle, STD_ERROR_HANDLE},
    };
    let Ok(length) = u32::try_from(line.len()) else { return 0 };
    let mut written = 0;
    // SAFETY: any handle may be asked what it is, and the line is as long as it says.
    unsafe {
        let stderr = GetStdHandle(STD_ERROR_HANDLE);
        if matches!(GetFileType(stderr), FILE_TYPE_CHAR | FILE_TYPE_DISK) {
            WriteFile(stderr, line.as_ptr(), length, &raw mut written, std::ptr::null_mut());
        }
    }
    (written as usize).min(line.len())
}

/// None: nobody knows what stderr takes.
#[cfg(not(any(unix, windows)))]
pub(super) fn write(_line: &[u8]) -> usize {
    0
}

#[cfg(all(test, unix))]
mod tests {
    use std::{io::Read, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn of_a_line_that_is_longer_than_the_room_in_a_pipe_the_beginning_is_written() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let line = vec![b'x'; 10 * 1024 * 1024];
        // Whoever waited would wait for ever.
        let taken = write_to(writer.as_raw_fd(), &line);
        assert!((1..line.len()).contains(&taken), "{taken}");
        assert_eq!(write_to(writer.as_raw_fd(), &line), 0, "it is full");
        drop(writer);
        let mut read = Vec::new();
        assert_eq!(reader.read_to_end(&mut read).unwrap(), taken);
    }

    #[test]
    fn a_pipe_that_nobody_reads_takes_nothing() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(write_to(writer.as_raw_fd(), b"a line"), 0);
    }
}
