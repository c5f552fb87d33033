//! [`TwilioSink`].
/// stub
#[derive(Debug)]
pub struct TwilioSink;
