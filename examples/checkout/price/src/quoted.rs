//! The business metric: the prices that were quoted.

use prometheus_client::metrics::histogram::Histogram;
use service::Telemetry;

/// Upper bounds in cents; the first bucket holds the prices that should not exist.
const BUCKETS_CENTS: [f64; 6] = [0.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0];

/// All prices that this replica quoted.
#[derive(Clone)]
pub(crate) struct Quoted(Histogram);

impl Default for Quoted {
    fn default() -> Self {
        Self(Histogram::new(BUCKETS_CENTS))
    }
}

impl Quoted {
    pub(crate) fn register(&self, telemetry: &mut Telemetry) {
        telemetry.register("price_quoted_cents", "Prices that were quoted", &self.0);
    }

    pub(crate) fn observe(&self, cents: u64) {
        self.0.observe(cents as f64);
    }
}
