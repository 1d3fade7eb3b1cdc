//! `web` is the front of the shop.
//!
//! `GET /checkout?item=kettle&count=2` asks `price` and `stock` at the same time and answers with the total.
//! Where one of them fails, so does the order: 502 with the name of the service that failed. Its business
//! metrics are `orders_total` and `order_value_cents_total`.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{Client, Faults, Server, Telemetry, number_from_environment, text_from_environment};

#[derive(Deserialize)]
struct Asked {
    item: String,
    #[serde(default = "one")]
    count: u64,
}

fn one() -> u64 {
    1
}

#[derive(Serialize)]
struct Order {
    item: String,
    count: u64,
    total_cents: u64,
    available: bool,
}

#[derive(Clone)]
struct Shop {
    client: Client,
    price_url: String,
    stock_url: String,
    orders: Counter,
    value_cents: Counter,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let shop = Shop {
        client: Client::new(Duration::from_millis(number_from_environment(
            "UPSTREAM_TIMEOUT_MS",
            2_000,
        ))),
        price_url: text_from_environment("PRICE_URL", "http://price"),
        stock_url: text_from_environment("STOCK_URL", "http://stock"),
        orders: Counter::default(),
        value_cents: Counter::default(),
    };
    let mut telemetry = Telemetry::default();
    telemetry.register("orders", "Orders that were answered", &shop.orders);
    telemetry.register("order_value_cents", "What they were worth", &shop.value_cents);
    let routes = Router::new()
        .route(
            "/",
            get(|| async { "The shop is open: GET /checkout?item=kettle&count=2\n" }),
        )
        .route("/checkout", get(checkout))
        .with_state(shop);
    Server::new("web", telemetry, Faults::default(), routes).run().await
}

async fn checkout(State(shop): State<Shop>, Query(asked): Query<Asked>) -> Result<Json<Order>, (StatusCode, String)> {
    let (cents, units) = tokio::try_join!(
        shop.ask(&shop.price_url, "price", &asked.item, "cents"),
        shop.ask(&shop.stock_url, "stock", &asked.item, "units"),
    )
    .map_err(|message| (StatusCode::BAD_GATEWAY, message))?;
    let total_cents = cents.saturating_mul(asked.count);
    shop.orders.inc();
    shop.value_cents.inc_by(total_cents);
    Ok(Json(Order {
        item: asked.item,
        count: asked.count,
        total_cents,
        available: units >= asked.count,
    }))
}

impl Shop {
    /// Asks `GET {base}/{service}?item=…` for one number.
    async fn ask(&self, base: &str, service: &str, item: &str, field: &str) -> Result<u64, String> {
        let query: String = item.bytes().map(escaped).collect();
        let uri: Uri = format!("{base}/{service}?item={query}")
            .parse()
            .map_err(|error| format!("{service}: {error}\n"))?;
        let body = self
            .client
            .get(uri)
            .await
            .map_err(|failure| format!("{service}: {failure}\n"))?;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| format!("{service}: {error}\n"))?;
        answer[field]
            .as_u64()
            .ok_or_else(|| format!("{service}: the answer has no `{field}`\n"))
    }
}

/// Percent-encoding of everything but the plainest characters.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}
