//! No credential and no phone number shows anywhere, whatever the providers
//! answer.
