//! How far usage is from its target.

use super::{Failure, FailureCode};

/// Usage as a share of requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Utilization {
    /// Current share divided by the target share.
    pub ratio: f64,
    /// The current share in whole percent, cut.
    pub percent: i32,
    /// The average usage of a pod in thousandths, cut.
    pub average_milli: i64,
}

/// The ratio of summed usage to summed requests, where `pods` counts those in both sums. The share is cut to a
/// whole percent before the ratio is taken.
///
/// # Errors
/// `NoMetricsForKnownPods` when nothing is requested.
pub fn resource_utilization_ratio(
    usage_milli: i64,
    requests_milli: i64,
    pods: usize,
    target_percent: i32,
) -> Result<Utilization, Failure> {
    if requests_milli == 0 || pods == 0 {
        return Err(Failure::internal(
            FailureCode::NoMetricsForKnownPods,
            "no metrics returned matched known pods",
        ));
    }
    let percent = usage_milli.wrapping_mul(100).wrapping_div(requests_milli) as i32;
    Ok(Utilization {
        ratio: f64::from(percent) / f64::from(target_percent),
        percent,
        average_milli: usage_milli.wrapping_div(pods as i64),
    })
}

/// The ratio of the average to the target, and the average in thousandths, cut; `None` without pods.
pub fn metric_usage_ratio(usage_milli: i64, pods: usize, target_milli: i64) -> Option<(f64, i64)> {
    let average_milli = usage_milli.checked_div(pods as i64)?;
    Some((average_milli as f64 / target_milli as f64, average_milli))
}
