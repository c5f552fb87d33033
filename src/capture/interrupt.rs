//! Ends the formatting of a value of which enough is known.
//!
//! The builders behind a derived `Debug` look at every element of a list, also once
//! nothing more is taken from them: a list of a hundred million takes half a second.
//! The stack is unwound to where the formatting began, if nothing on it is to be
//! dropped on the way. Where something is, it might be the guard of a mutex, which
//! would be poisoned: then the elements are looked at. What an impl without one does
//! after it has written, like setting a flag back, is not done.
//!
//! Runs on the caller's thread, inside other people's `Debug` and `Display`.
//! Invariant: no frame that has anything to drop is unwound.

#[cfg(all(target_os = "linux", target_env = "gnu", panic = "unwind"))]
mod stack {
    #![expect(unsafe_code, reason = "the standard library does not say what unwinding would drop")]

    use std::{
        ffi::{c_int, c_void},
        ptr,
    };

    use super::Place;

    /// What the unwinder, which the standard library links, knows of a frame.
    #[repr(C)]
    struct Frame {
        _opaque: [u8; 0],
    }

    // "Itanium C++ ABI: Exception Handling", 1.5 and 1.6; LSB Core, libgcc_s.
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            look: extern "C" fn(*mut Frame, *mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetCFA(frame: *mut Frame) -> usize;
        fn _Unwind_GetLanguageSpecificData(frame: *mut Frame) -> *const c_void;
    }

    const GO_ON: c_int = 0;
    const STOP: c_int = 5;

    struct Walk {
        from: usize,
        until: usize,
        last: usize,
        is_end_reached: bool,
        has_drops: bool,
        /// Whether the last frame has any. It counts if it is not the end.
        is_suspicious: bool,
    }

    /// Whether there is nothing to be dropped in the frames after the one that
    /// `from` is in, and before the one that `until` is in.
    pub(super) fn is_plain(from: Place, until: Place) -> bool {
        // The stack grows downwards: this is another one, and places on two cannot be
        // compared.
        if from.0 >= until.0 {
            return false;
        }
        let mut walk = Walk {
            from: from.0,
            until: until.0,
            last: 0,
            is_end_reached: false,
            has_drops: false,
            is_suspicious: false,
        };
        // SAFETY: `look` gets the walk that outlives the call, and does not unwind.
        unsafe { _Unwind_Backtrace(look, ptr::from_mut(&mut walk).cast()) };
        walk.is_end_reached && !walk.has_drops
    }

    extern "C" fn look(frame: *mut Frame, walk: *mut c_void) -> c_int {
        // SAFETY: the unwinder hands on what it was given, and a frame of its own.
        let (walk, stack_pointer, has_drops) = unsafe {
            (
                &mut *walk.cast::<Walk>(),
                _Unwind_GetCFA(frame),
                !_Unwind_GetLanguageSpecificData(frame).is_null(),
            )
        };
        // A frame lies above its stack pointer; one that lies below the last is on
        // another stack.
        walk.has_drops |= stack_pointer < walk.last;
        walk.last = stack_pointer;
        if stack_pointer > walk.until {
            walk.is_end_reached = true;
            return STOP;
        }
        walk.has_drops |= walk.is_suspicious;
        walk.is_suspicious = has_drops && stack_pointer > walk.from;
        if walk.has_drops { STOP } else { GO_ON }
    }
}

/// A frame of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(
    #[cfg_attr(
        not(all(target_os = "linux", target_env = "gnu", panic = "unwind")),
        expect(dead_code, reason = "nothing is unwound there")
    )]
    usize,
);

impl Place {
    /// The frame that `local` is in.
    pub(crate) fn of(local: &u8) -> Self {
        Self(std::ptr::from_ref(local).addr())
    }
}

/// Unwinds to the frame `until`, which has to catch that, unless there is something
/// to be dropped on the way. The panic hook does not see it.
pub(crate) fn unwind_to(until: Place) {
    #[cfg(all(target_os = "linux", target_env = "gnu", panic = "unwind"))]
    {
        // While this thread panics, the standard library would count it wrong.
        if std::thread::panicking() {
            return;
        }
        let here = 0;
        if stack::is_plain(Place::of(&here), until) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu", panic = "unwind")))]
    let _: Place = until;
}

#[cfg(all(test, target_os = "linux", target_env = "gnu", panic = "unwind"))]
mod tests {
    use std::{cell::Cell, mem::zeroed};

    use super::*;

    thread_local! {
        static UNTIL: Cell<Option<Place>> = const { Cell::new(None) };
        static HAS_RETURNED: Cell<bool> = const { Cell::new(false) };
    }

    /// As a `Debug` that somebody's coroutine runs. What unwinds out of it aborts.
    extern "C" fn elsewhere() {
        UNTIL.get().into_iter().for_each(unwind_to);
        HAS_RETURNED.set(true);
    }

    #[test]
    #[expect(unsafe_code, reason = "the standard library has one stack for each thread")]
    fn nothing_is_unwound_from_another_stack() {
        let here = 0;
        UNTIL.set(Some(Place::of(&here)));
        let mut stack = vec![0_u8; 1024 * 1024];
        // SAFETY: the contexts and the stack outlive the call, which comes back here.
        unsafe {
            let (mut ours, mut other): (libc::ucontext_t, libc::ucontext_t) = (zeroed(), zeroed());
            assert_eq!(libc::getcontext(&raw mut other), 0);
            other.uc_stack.ss_sp = stack.as_mut_ptr().cast();
            other.uc_stack.ss_size = stack.len();
            other.uc_link = &raw mut ours;
            libc::makecontext(&raw mut other, elsewhere, 0);
            assert_eq!(libc::swapcontext(&raw mut ours, &raw const other), 0);
        }
        assert!(HAS_RETURNED.get());
    }
}
