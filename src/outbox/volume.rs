//! Whether a file is on a network file system. SQLite's write-ahead log needs
//! memory that all who have the file open share: two machines share none.

use std::path::Path;

/// True if the file at `path` is known to be on a network file system; it is not
/// opened.
#[cfg(target_os = "linux")]
pub(crate) fn is_on_network(path: &Path) -> bool {
    file_system(path).is_some_and(is_network)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_on_network(_path: &Path) -> bool {
    false
}

/// The number of the kind of file system that `path` is on.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library does not tell what a file system is")]
fn file_system(path: &Path) -> Option<u32> {
    use std::{ffi::CString, mem::MaybeUninit, os::unix::ffi::OsStrExt};

    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut told = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` ends with a zero byte, and `told` has room for the answer.
    let done = unsafe { libc::statfs(path.as_ptr(), told.as_mut_ptr()) };
    // SAFETY: where it succeeds, it fills in the whole answer.
    let told = (done == 0).then(|| unsafe { told.assume_init() })?;
    // Of another width, and signed or not, on each platform.
    u32::try_from(i128::from(told.f_type) & 0xffff_ffff).ok()
}

/// By the numbers of `linux/magic.h` and of the file systems' own sources. What
/// comes by FUSE may be anything, and `sshfs` is likely.
#[cfg(target_os = "linux")]
fn is_network(file_system: u32) -> bool {
    matches!(
        file_system,
        0x6969 // NFS
            | 0x517b // SMB
            | 0xff53_4d42 // CIFS
            | 0xfe53_4d42 // SMB 2
            | 0x6573_5546 // FUSE
            | 0x0102_1997 // 9p
            | 0x5346_414f // AFS
            | 0x6b41_4653 // AFS of the kernel
            | 0x7375_7245 // Coda
            | 0x564c // NCP
            | 0x00c3_6400 // Ceph
            | 0x0116_1970 // GFS 2
            | 0x7461_636f // OCFS 2
            | 0x0bd0_0bd0 // Lustre
            | 0x4750_4653 // GPFS
            | 0x786f_4256 // VirtualBox
            | 0xbacb_acbc // VMware
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_other_machines_share_is_a_network() {
        for network in [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997] {
            assert!(is_network(network), "{network:x}");
        }
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS, F2FS.
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010] {
            assert!(!is_network(local), "{local:x}");
        }
    }

    #[test]
    fn the_file_system_of_a_path_is_told() {
        // Its number in `linux/magic.h`.
        assert_eq!(file_system(Path::new("/proc/self/stat")), Some(0x9fa0));
        assert_eq!(file_system(Path::new("/proc/no such file")), None);
        assert!(!is_on_network(Path::new("/proc/no such file")));
    }
}
