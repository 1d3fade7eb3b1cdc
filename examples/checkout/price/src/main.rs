//! `price` says what an item costs.
//!
//! `GET /price?item=kettle` answers `{"item":"kettle","cents":2499}`. Its business metric is the price
//! itself: `price_quoted_cents_sum` and `_count`, so that the average quoted price of each replica can be
//! watched. The fault switch `wrong` makes this replica quote zero, fast and with status 200: the kind of
//! failure that no latency or error rate shows.

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use service::{Faults, Server, Telemetry};

mod catalogue;
mod quoted;

use quoted::Quoted;

#[derive(Deserialize)]
struct Asked {
    item: String,
}

#[derive(Serialize)]
struct Price {
    item: String,
    cents: u64,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let faults = Faults::default();
    let quoted = Quoted::default();
    let mut telemetry = Telemetry::default();
    quoted.register(&mut telemetry);
    let routes = Router::new()
        .route("/price", get(price))
        .with_state((faults.clone(), quoted));
    Server::new("price", telemetry, faults, routes).run().await
}

async fn price(State((faults, quoted)): State<(Faults, Quoted)>, Query(asked): Query<Asked>) -> Json<Price> {
    let cents = match faults.settings().wrong {
        true => 0,
        false => catalogue::price_cents(&asked.item),
    };
    quoted.observe(cents);
    Json(Price {
        item: asked.item,
        cents,
    })
}
