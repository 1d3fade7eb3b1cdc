//! `load` is a compressed day of customers.
//!
//! It asks `web` for orders at a rate that follows a day (quiet, rise, peak, spike, fall) and prints what
//! the customers see:
//!
//! ```text
//! peak    wanted  60.0/s  answered  59.8/s  errors 0  p50   3.1 ms  p99   9.8 ms
//! ```
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `TARGET_URL` | `http://web` | where the shop is |
//! | `DAY_SECONDS` | 180 | how long a day takes |
//! | `PEAK_PER_SECOND` | 60 | the rate at the peak; the spike is half as much again |
//! | `DAYS` | 0 | how many days to run; 0 = until stopped |
//! | `REPORT_SECONDS` | 5 | how often a line is printed |
//!
//! Requests are started by the clock whether or not earlier ones were answered (an open loop): a slow shop
//! does not get less to do.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use service::{Client, Faults, Server, Telemetry, number_from_environment, text_from_environment};
use tokio::sync::Semaphore;
use tokio::time::Instant;

mod day;
mod seen;

use day::Day;
use seen::Seen;

/// How often the rate is followed.
const TICK: Duration = Duration::from_millis(50);
/// More requests than this at once are not started but counted as errors, so that a shop that hangs cannot
/// use up this process.
const IN_FLIGHT_MAX: usize = 500;
/// What customers buy, in turn.
const ITEMS: [&str; 4] = ["kettle", "teapot", "cup", "spoon"];

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (sent, failed) = (Counter::default(), Counter::default());
    let mut telemetry = Telemetry::default();
    telemetry.register("customer_requests", "Requests that customers made", &sent);
    telemetry.register("customer_errors", "Requests that failed for the customer", &failed);
    let driver = tokio::spawn(drive(sent, failed));
    let served = Server::new("load", telemetry, Faults::default(), axum::Router::new())
        .run()
        .await;
    driver.abort();
    served
}

async fn drive(sent: Counter, failed: Counter) {
    let target = text_from_environment("TARGET_URL", "http://web");
    let day = Day {
        seconds: number_from_environment("DAY_SECONDS", 180) as f64,
        peak_per_second: number_from_environment("PEAK_PER_SECOND", 60) as f64,
    };
    let days = number_from_environment("DAYS", 0) as f64;
    let report_every = Duration::from_secs(number_from_environment("REPORT_SECONDS", 5).max(1));
    let client = Client::new(Duration::from_secs(5));
    let seen = Arc::new(Seen::default());
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));

    wait_until_open(&client, &target).await;
    let started = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    let mut next_report = started + report_every;
    let (mut owed, mut turn) = (0.0, 0);
    loop {
        let now = ticks.tick().await;
        let elapsed_seconds = now.duration_since(started).as_secs_f64();
        if now >= next_report {
            println!("{}", seen.report(&day.phase(elapsed_seconds), report_every));
            next_report += report_every;
        }
        if days > 0.0 && elapsed_seconds >= days * day.seconds {
            println!("the day is over: {}", seen.total());
            return;
        }
        owed += day.rate_per_second(elapsed_seconds) * TICK.as_secs_f64();
        while owed >= 1.0 {
            owed -= 1.0;
            turn += 1;
            let uri = format!("{target}/checkout?item={}&count=1", ITEMS[turn % ITEMS.len()]);
            sent.inc();
            let Ok(place) = in_flight.clone().try_acquire_owned() else {
                failed.inc();
                seen.failed("too many requests wait for an answer");
                continue;
            };
            tokio::spawn(ask(client.clone(), uri, seen.clone(), failed.clone(), place));
        }
    }
}

/// The day begins when the shop first answers an order: customers do not come before that.
async fn wait_until_open(client: &Client, target: &str) {
    let Ok(uri) = format!("{target}/checkout?item={}", ITEMS[0]).parse::<axum::http::Uri>() else {
        return println!("{target} is no address");
    };
    let mut told = false;
    while let Err(failure) = client.get(uri.clone()).await {
        if !told {
            println!("the shop at {target} is not open yet: {failure}");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn ask(client: Client, uri: String, seen: Arc<Seen>, failed: Counter, _place: tokio::sync::OwnedSemaphorePermit) {
    let asked = Instant::now();
    let answer = match uri.parse() {
        Ok(uri) => client.get(uri).await.map_err(|failure| failure.to_string()),
        Err(error) => Err(format!("{uri}: {error}")),
    };
    match answer {
        Ok(_) => seen.answered(asked.elapsed()),
        Err(message) => {
            failed.inc();
            seen.failed(&message);
        }
    }
}
