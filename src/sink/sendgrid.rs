//! [`SendGridSink`].
/// stub
#[derive(Debug)]
pub struct SendGridSink;
