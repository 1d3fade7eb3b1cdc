//! `/targets`, `/rules`, `/alerts`, `/status/…`.

use axum::extract::State;
use promql::rules::{Alert, AlertState, Rule, RuleKind, RuleState};

use super::Backend;
use super::json::{ApiFloat, Json};
use super::params::Params;
use super::reply::{ApiError, Reply, Result};
use crate::duration;
use crate::rules::GroupStatus;
use crate::scrape::{Health, TargetStatus};

/// The version of Prometheus whose API this is: clients choose their requests by it.
const API_VERSION: &str = "3.5.0";

/// The time of what has not happened: the zero of Go's clock.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Entries of each list of `/status/tsdb`.
const TSDB_ENTRIES: usize = 10;

pub(super) async fn targets(State(backend): State<Backend>, params: Params) -> Result {
    let state = params.get("state").unwrap_or("any");
    let active = if matches!(state, "any" | "active") {
        backend.inner.targets.list()
    } else {
        Vec::new()
    };
    let pool = params.get("scrapePool");
    let active = active
        .iter()
        .filter(|status| pool.is_none_or(|pool| status.target.labels.value("job") == pool));
    let dropped = backend.inner.targets.dropped();
    Ok(Reply::new(|json| {
        json.raw("{\"activeTargets\":").list(active, target);
        json.raw(format_args!(
            ",\"droppedTargets\":[],\"droppedTargetCounts\":{{\"limit\":{dropped}}}}}"
        ));
    }))
}

fn target(json: &mut Json, status: &TargetStatus) {
    let target = &status.target;
    let health = match status.health {
        Health::Unknown => "unknown",
        Health::Up => "up",
        Health::Down => "down",
    };
    let last_scrape = status.last_scrape_ms.map_or(NEVER.to_owned(), rfc3339);
    let milliseconds =
        |duration: std::time::Duration| duration::format_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
    json.raw("{\"discoveredLabels\":").labels(&target.labels);
    json.raw(",\"labels\":").labels(&target.labels);
    for (name, value) in [
        ("scrapePool", target.labels.value("job")),
        ("scrapeUrl", &target.url),
        ("globalUrl", &target.url),
        ("lastError", status.last_error.as_deref().unwrap_or("")),
        ("lastScrape", &last_scrape),
        ("health", health),
        ("scrapeInterval", &milliseconds(target.settings.interval)),
        ("scrapeTimeout", &milliseconds(target.settings.timeout)),
    ] {
        json.raw(',').string(name).raw(':').string(value);
    }
    json.raw(format_args!(
        ",\"lastScrapeDuration\":{}}}",
        status.last_duration.as_secs_f64()
    ));
}

fn rfc3339(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).map_or_else(|_| String::new(), |time| time.to_string())
}

pub(super) async fn rules(State(backend): State<Backend>, params: Params) -> Result {
    let wanted = params.get("type");
    if let Some(other) = wanted.filter(|wanted| !matches!(*wanted, "alert" | "record")) {
        return Err(ApiError::parameter("type", format!("not supported value {other:?}")));
    }
    let groups = backend.rules.list();
    Ok(Reply::new(|json| {
        json.raw("{\"groups\":")
            .list(&groups, |json, status| group(json, status, wanted))
            .raw('}');
    }))
}

pub(super) async fn alerts(State(backend): State<Backend>) -> Reply {
    let groups = backend.rules.list();
    let active = groups
        .iter()
        .flat_map(|group| &group.states)
        .flat_map(|state| &state.alerts)
        .filter(|alert| is_active(alert));
    Reply::new(|json| {
        json.raw("{\"alerts\":").list(active, alert).raw('}');
    })
}

fn is_active(alert: &Alert) -> bool {
    alert.state != AlertState::Inactive
}

fn group(json: &mut Json, status: &GroupStatus, wanted: Option<&str>) {
    let group = &status.group;
    let total: f64 = status.durations.iter().map(std::time::Duration::as_secs_f64).sum();
    json.raw("{\"name\":")
        .string(&group.name)
        .raw(",\"file\":")
        .string(&group.file)
        .raw(",\"rules\":");
    let rules = group.rules.iter().zip(&status.states).zip(&status.durations);
    let rules = rules.filter(|((rule, _), _)| match wanted {
        Some("alert") => rule.kind != RuleKind::Recording,
        Some(_) => rule.kind == RuleKind::Recording,
        None => true,
    });
    json.list(rules, |json, ((rule, state), duration)| {
        self::rule(json, rule, state, duration.as_secs_f64())
    });
    json.raw(format_args!(
        ",\"interval\":{},\"limit\":{}",
        group.interval_ms as f64 / 1000.0,
        group.limit
    ));
    json.raw(format_args!(",\"evaluationTime\":{total},\"lastEvaluation\":"));
    json.string(&status.last_evaluation_ms.map_or(NEVER.to_owned(), rfc3339))
        .raw('}');
}

fn rule(json: &mut Json, rule: &Rule, state: &RuleState, seconds: f64) {
    json.raw('{');
    if let RuleKind::Alerting {
        for_ms,
        keep_firing_for_ms,
        annotations,
    } = &rule.kind
    {
        let worst = state
            .alerts
            .iter()
            .map(|alert| alert.state)
            .max()
            .unwrap_or(AlertState::Inactive);
        json.raw("\"state\":").string(worst.as_str());
        json.raw(format_args!(
            ",\"duration\":{},\"keepFiringFor\":{}",
            *for_ms as f64 / 1000.0,
            *keep_firing_for_ms as f64 / 1000.0
        ));
        json.raw(",\"annotations\":");
        pairs(json, annotations);
        json.raw(",\"alerts\":")
            .list(state.alerts.iter().filter(|alert| is_active(alert)), alert)
            .raw(',');
    }
    let kind = if rule.kind == RuleKind::Recording {
        "recording"
    } else {
        "alerting"
    };
    let health = match (&state.last_error, state.last_evaluation_ms) {
        (Some(_), _) => "err",
        (None, Some(_)) => "ok",
        (None, None) => "unknown",
    };
    json.raw("\"labels\":");
    pairs(json, &rule.labels);
    for (name, text) in [
        ("name", rule.name.as_str()),
        ("query", rule.query.text()),
        ("health", health),
        ("type", kind),
        (
            "lastEvaluation",
            &state.last_evaluation_ms.map_or(NEVER.to_owned(), rfc3339),
        ),
    ] {
        json.raw(',').string(name).raw(':').string(text);
    }
    if let Some(error) = &state.last_error {
        json.raw(",\"lastError\":").string(error);
    }
    json.raw(format_args!(",\"evaluationTime\":{seconds}}}"));
}

fn alert(json: &mut Json, alert: &Alert) {
    json.raw("{\"labels\":").labels(&alert.labels).raw(",\"annotations\":");
    pairs(json, &alert.annotations);
    json.raw(",\"state\":")
        .string(alert.state.as_str())
        .raw(",\"activeAt\":")
        .string(&rfc3339(alert.active_at_ms));
    if let Some(since_ms) = alert.keep_firing_since_ms {
        json.raw(",\"keepFiringSince\":").string(&rfc3339(since_ms));
    }
    json.raw(",\"value\":").string(&exponential(alert.value)).raw('}');
}

/// Go's `%e` with the shortest digits: what upstream uses for the values of alerts.
fn exponential(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        },
        None => ApiFloat(value).to_string(),
    }
}

fn pairs(json: &mut Json, pairs: &[(String, String)]) {
    json.object(pairs.iter().map(|(name, text)| (name.as_str(), text)), |json, text| {
        json.string(text);
    });
}

pub(super) async fn alertmanagers() -> Reply {
    raw("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}")
}

fn raw(text: &str) -> Reply {
    Reply::new(|json| {
        json.raw(text);
    })
}

fn strings(fields: &[(&str, &str)]) -> Reply {
    Reply::new(|json| {
        json.object(fields.iter().copied(), |json, text| {
            json.string(text);
        });
    })
}

pub(super) async fn build() -> Reply {
    let version = env!("CARGO_PKG_VERSION");
    strings(&[
        ("version", API_VERSION),
        ("revision", version),
        ("branch", "flyball"),
        ("buildUser", ""),
        ("buildDate", ""),
        ("goVersion", ""),
        ("application", "Flyball"),
    ])
}

pub(super) async fn config() -> Reply {
    strings(&[("yaml", "")])
}

pub(super) async fn flags(State(backend): State<Backend>) -> Reply {
    let limits = backend.inner.store.head().limits().clone();
    let options = backend.inner.engine.options();
    strings(&[
        ("query.lookback-delta", &duration::format_ms(options.lookback_ms)),
        ("query.max-concurrency", &super::QUERIES_CONCURRENT_MAX.to_string()),
        (
            "query.timeout",
            &duration::format_ms(super::QUERY_TIMEOUT_MAX.as_millis() as i64),
        ),
        ("storage.tsdb.retention.time", &duration::format_ms(limits.retention_ms)),
        ("storage.tsdb.retention.size", &format!("{}B", limits.bytes_max)),
    ])
}

pub(super) async fn runtime(State(backend): State<Backend>) -> Reply {
    let started = rfc3339(backend.inner.started_ms);
    let now = rfc3339(backend.now_ms());
    let head = backend.inner.store.head();
    let retention = duration::format_ms(head.limits().retention_ms);
    let series = head.stats().series;
    drop(head);
    Reply::new(|json| {
        json.raw("{\"startTime\":")
            .string(&started)
            .raw(",\"serverTime\":")
            .string(&now);
        json.raw(",\"reloadConfigSuccess\":true,\"corruptionCount\":0,\"timeSeriesCount\":")
            .raw(series);
        json.raw(",\"storageRetention\":").string(&retention).raw('}');
    })
}

pub(super) async fn tsdb(State(backend): State<Backend>, params: Params) -> Result {
    let limit = params.limit()?.min(1000);
    let limit = if params.get("limit").is_some() {
        limit
    } else {
        TSDB_ENTRIES
    };
    let head = backend.inner.store.head();
    let stats = head.stats().clone();
    let names = head.label_names(&[], i64::MIN, i64::MAX);
    let by_metric: Vec<(String, usize)> = owned(head.value_counts("__name__"));
    let by_label: Vec<(String, usize)> = names
        .iter()
        .map(|name| (name.clone(), head.value_counts(name).count()))
        .collect();
    let mut by_pair: Vec<(String, usize)> = Vec::new();
    for name in &names {
        by_pair.extend(
            top(owned(head.value_counts(name)), limit)
                .into_iter()
                .map(|(value, count)| (format!("{name}={value}"), count)),
        );
    }
    drop(head);
    Ok(Reply::new(|json| {
        let pairs: usize = by_label.iter().map(|(_, count)| count).sum();
        json.raw(format_args!(
            "{{\"headStats\":{{\"numSeries\":{},\"numLabelPairs\":{pairs},",
            stats.series
        ));
        json.raw(format_args!(
            "\"bytes\":{},\"shedSamples\":{},\"seriesRefused\":{}}}",
            stats.bytes, stats.shed.samples, stats.series_refused
        ));
        for (name, counts) in [
            ("seriesCountByMetricName", by_metric),
            ("labelValueCountByLabelName", by_label),
            ("seriesCountByLabelValuePair", by_pair),
        ] {
            json.raw(',')
                .string(name)
                .raw(':')
                .list(top(counts, limit), |json, (name, count)| {
                    json.raw("{\"name\":")
                        .string(&name)
                        .raw(",\"value\":")
                        .raw(count)
                        .raw('}');
                });
        }
        json.raw(",\"memoryInBytesByLabelName\":[]}");
    }))
}

fn owned<'a>(counts: impl Iterator<Item = (&'a str, usize)>) -> Vec<(String, usize)> {
    counts.map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The largest counts first.
fn top(mut counts: Vec<(String, usize)>, limit: usize) -> Vec<(String, usize)> {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(limit);
    counts
}
