//! `stock` says how many of an item are left.
//!
//! `GET /stock?item=kettle` answers `{"item":"kettle","units":12}`. The shelves are refilled as they are
//! emptied, so the demonstration can run all day. Its business metric is `stock_answered_units_sum` and
//! `_count`; the fault switch `wrong` makes this replica say that nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::metrics::histogram::Histogram;
use serde::{Deserialize, Serialize};
use service::{Faults, Server, Telemetry};

/// A full shelf; it is refilled when the last unit is gone.
const SHELF_UNITS: u64 = 50;
/// Upper bounds in units.
const BUCKETS_UNITS: [f64; 5] = [0.0, 5.0, 10.0, 25.0, 50.0];

#[derive(Deserialize)]
struct Asked {
    item: String,
}

#[derive(Serialize)]
struct Stock {
    item: String,
    units: u64,
}

#[derive(Clone)]
struct Shelf {
    faults: Faults,
    taken: Arc<AtomicU64>,
    answered: Histogram,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let shelf = Shelf {
        faults: Faults::default(),
        taken: Arc::default(),
        answered: Histogram::new(BUCKETS_UNITS),
    };
    let mut telemetry = Telemetry::default();
    telemetry.register("stock_answered_units", "Units said to be left", &shelf.answered);
    let faults = shelf.faults.clone();
    let routes = Router::new().route("/stock", get(stock)).with_state(shelf);
    Server::new("stock", telemetry, faults, routes).run().await
}

async fn stock(State(shelf): State<Shelf>, Query(asked): Query<Asked>) -> Json<Stock> {
    let left = SHELF_UNITS - shelf.taken.fetch_add(1, Ordering::Relaxed) % SHELF_UNITS;
    let units = match shelf.faults.settings().wrong {
        true => 0,
        false => left,
    };
    shelf.answered.observe(units as f64);
    Json(Stock {
        item: asked.item,
        units,
    })
}
