//! What all tests of the server share: a server with a fixed clock and seed, and requests as one line.

use std::sync::Arc;

use apiserver::entropy::SeededEntropy;
use apiserver::{ApiServer, Builder};
use flyball_core::{ManualClock, Timestamp};

/// A builder whose clock stands at the start of 2026.
pub(crate) fn builder() -> Builder {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    ApiServer::builder(Arc::new(ManualClock::new(start))).entropy(Arc::new(SeededEntropy::new(1)))
}
