//! `test` and `doctor`.

use crate::{Failure, args, look::Look, settings::Variables};

pub(crate) fn test(_: &args::Test, _: Variables, _: &Look) -> Result<(), Failure> {
    Err(Failure::Said)
}

pub(crate) fn doctor(_: &args::Common, _: Variables, _: &Look) -> Result<(), Failure> {
    Err(Failure::Said)
}
