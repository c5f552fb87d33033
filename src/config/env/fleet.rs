//! The variable of the store that instances share.

use super::variables::Variables;
use crate::config::Builder;

/// Takes the URL of `ALERT_FLEET`; `check.rs` judges it.
#[cfg(feature = "postgres")]
pub(super) fn add_fleet(builder: Builder, vars: &mut Variables) -> Builder {
    match vars.get("ALERT_FLEET") {
        Some(url) => builder.fleet(url),
        None => builder,
    }
}

#[cfg(not(feature = "postgres"))]
pub(super) fn add_fleet(builder: Builder, vars: &mut Variables) -> Builder {
    vars.note_feature("ALERT_FLEET", "postgres", "each instance alerts by itself");
    builder
}
