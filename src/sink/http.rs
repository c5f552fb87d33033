//! What the two providers share of HTTP.
