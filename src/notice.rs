//! What there is to tell, as data: a [`Notice`] and all that is in it.
//!
//! A [`Render`](crate::Render) makes texts of a notice, and a sink finds it in each
//! [`Message`](crate::Message). The types have a module of their own because `tracing` has
//! an `Event`, a `Field` and a `Value`, too.
//!
//! ```
//! use tracing_alert::notice::{Kind, Notice};
//!
//! /// The kinds of error that `notice` tells of, if they are new.
//! fn news(notice: &Notice) -> Vec<&str> {
//!     let is_new = notice.kind == Kind::First;
//!     notice.samples.iter().filter(|_| is_new).map(|sample| sample.event.message.as_str()).collect()
//! }
//! ```

pub use crate::{
    event::{
        Event, Field, SpanFrame, Value,
        breadcrumb::Breadcrumb,
        loss::{DropReason, Losses},
    },
    policy::notice::{Kind, LastHour, Notice, Process, Sample, Spread},
};
