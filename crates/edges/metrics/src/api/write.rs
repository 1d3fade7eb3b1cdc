//! `/write`: remote write 1.0 and 2.0.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use promql::exposition::remote::{Version, WriteSeries, read};
use promql::sample::Value;
use promql::store::AppendError;

use super::reply::ApiError;
use super::{Backend, RemoteWrite};

/// The largest request. Prometheus sends at most a few thousand samples at once, some 100 kB.
pub(super) const COMPRESSED_BYTES_MAX: usize = 16 << 20;

/// The largest request after decompression.
const BYTES_MAX: usize = 64 << 20;

pub(super) async fn write(State(backend): State<Backend>, headers: HeaderMap, body: Bytes) -> Response {
    if backend.remote_write == RemoteWrite::Refused {
        return ApiError::not_found("remote write is not enabled on this server").into_response();
    }
    match receive(&backend, &headers, &body) {
        Ok(written) => (StatusCode::NO_CONTENT, written.headers()).into_response(),
        Err((status, message)) => (status, message).into_response(),
    }
}

/// What was stored.
#[derive(Default)]
struct Written {
    samples: usize,
    histograms: usize,
}

impl Written {
    /// How version 2.0 tells the sender.
    fn headers(&self) -> [(&'static str, String); 3] {
        [
            ("x-prometheus-remote-write-samples-written", self.samples.to_string()),
            (
                "x-prometheus-remote-write-histograms-written",
                self.histograms.to_string(),
            ),
            ("x-prometheus-remote-write-exemplars-written", "0".to_owned()),
        ]
    }
}

fn receive(backend: &Backend, headers: &HeaderMap, body: &[u8]) -> Result<Written, (StatusCode, String)> {
    let header = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let unsupported = |what: &str| (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{what} is not supported\n"));
    let version = match header(header::CONTENT_TYPE).replace(' ', "").as_str() {
        // A type has to be named: a web page cannot send this one without being asked.
        "application/x-protobuf" | "application/x-protobuf;proto=prometheus.WriteRequest" => Version::V1,
        "application/x-protobuf;proto=io.prometheus.write.v2.Request" => Version::V2,
        other => return Err(unsupported(other)),
    };
    if !matches!(header(header::CONTENT_ENCODING), "snappy" | "") {
        return Err(unsupported(header(header::CONTENT_ENCODING)));
    }
    let malformed = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    // The length is the sender's word: it is checked before anything is allocated.
    if snap::raw::decompress_len(body).map_err(|error| malformed(&error))? > BYTES_MAX {
        return Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request is larger than {BYTES_MAX} bytes\n"),
        ));
    }
    let plain = snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(|error| malformed(&error))?;
    let series = read(&plain, version).map_err(|error| malformed(&error.kind))?;
    store(backend, series)
}

/// Stores what can be stored. Samples out of order are the sender's error, which it must not send again; a
/// full store is ours, and it may.
fn store(backend: &Backend, all: Vec<WriteSeries>) -> Result<Written, (StatusCode, String)> {
    let mut written = Written::default();
    let mut refused: Option<(StatusCode, String)> = None;
    let mut head = backend.inner.store.head_mut();
    for WriteSeries { labels, samples } in all {
        for (time_ms, value) in samples {
            // A push can make so much room that its own series goes: each sample looks it up.
            let result = head.series(&labels).and_then(|(series, _)| match &value {
                Value::Float(value) => head.append(series, time_ms, *value),
                Value::Histogram(histogram) => head.append_histogram(series, time_ms, histogram.clone()),
            });
            match (result, &value) {
                (Ok(()), Value::Float(_)) => written.samples += 1,
                (Ok(()), Value::Histogram(_)) => written.histograms += 1,
                (Err(error @ AppendError::SeriesLimit), _) => {
                    refused.get_or_insert((StatusCode::SERVICE_UNAVAILABLE, format!("{labels}: {error}\n")));
                }
                (Err(error), _) => {
                    refused.get_or_insert((StatusCode::BAD_REQUEST, format!("{labels}: {error}\n")));
                }
            }
        }
    }
    refused.map_or(Ok(written), Err)
}
