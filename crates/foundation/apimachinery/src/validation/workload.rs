//! What owns pods.

use serde_json::{Value, json};

use super::check::Check;
use super::pod::{labels_match, template};
use crate::status::Cause;

fn percent(check: &Check<'_>, field: &str) -> Option<i64> {
    check
        .get(field)
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|digits| digits.parse().ok())
}

/// Messages show a strategy as Go's internal struct, whose names are capitals.
fn strategy_as_go(strategy: &Check<'_>) -> Value {
    json!({"Type": strategy.get("type"), "RollingUpdate": strategy.get("rollingUpdate")})
}

fn is_zero(check: &Check<'_>, field: &str) -> bool {
    percent(check, field).or(check.get(field).as_i64()) == Some(0)
}

fn at_most_all(check: &mut Check<'_>, field: &str) {
    if percent(check, field).is_some_and(|percent| percent > 100) {
        check.invalid(field, "must not be greater than 100%");
    }
}

/// A selector that must select the template's labels, and a template whose pods are restarted for ever.
fn selector_and_template(check: &mut Check<'_>, kind: &str) {
    if check.has("selector") {
        let count = |field: &str| {
            let value = check.get(field);
            value.as_object().map_or(0, serde_json::Map::len) + value.as_array().map_or(0, Vec::len)
        };
        let empty = count("selector.matchLabels") + count("selector.matchExpressions") == 0;
        let selector = check.selector("selector");
        if empty {
            check.invalid("selector", &format!("empty selector is invalid for {kind}"));
        }
        match selector {
            Some(selector) => labels_match(check, &selector),
            None => {
                check.invalid("selector", "invalid label selector");
                return;
            }
        }
    } else {
        // A daemon set without a selector is only told that it does not match.
        if kind != "daemonset" {
            check.required("selector", "");
        }
        labels_match(check, &crate::selector::LabelSelector::nothing());
    }
    always_restarting_template(check);
}

fn always_restarting_template(check: &mut Check<'_>) {
    check.within_or_null("template", |pods| {
        template(pods);
        if pods.text("spec.restartPolicy") != "Always" {
            pods.not_supported("spec.restartPolicy", &["Always"]);
        }
        if pods.has("spec.activeDeadlineSeconds") {
            pods.forbidden(
                "spec.activeDeadlineSeconds",
                "activeDeadlineSeconds in ReplicaSet is not Supported",
            );
        }
    });
}

pub(super) fn deployment(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        spec.not_negative("replicas");
        selector_and_template(spec, "deployment");
        spec.within("strategy", |strategy| {
            if strategy.text("type") == "Recreate" && strategy.has("rollingUpdate") {
                strategy.forbidden(
                    "rollingUpdate",
                    "may not be specified when strategy `type` is 'Recreate'",
                );
            }
            if !matches!(strategy.text("type"), "Recreate" | "RollingUpdate") {
                let cause = Cause::not_supported(
                    strategy.path(""),
                    &strategy_as_go(strategy),
                    &["Recreate", "RollingUpdate"],
                );
                strategy.push(cause);
            }
            if strategy.text("type") == "RollingUpdate" {
                strategy.within("rollingUpdate", |rolling| {
                    rolling.int_or_percent("maxUnavailable");
                    rolling.int_or_percent("maxSurge");
                    if is_zero(rolling, "maxUnavailable") && is_zero(rolling, "maxSurge") {
                        rolling.invalid("maxUnavailable", "may not be 0 when `maxSurge` is 0");
                    }
                    at_most_all(rolling, "maxUnavailable");
                });
            }
        });
        spec.not_negative("minReadySeconds");
        spec.not_negative("revisionHistoryLimit");
        spec.not_negative("progressDeadlineSeconds");
        let ready = spec.get("minReadySeconds").as_i64().unwrap_or(0);
        if spec
            .get("progressDeadlineSeconds")
            .as_i64()
            .is_some_and(|deadline| deadline <= ready)
        {
            spec.invalid("progressDeadlineSeconds", "must be greater than minReadySeconds");
        }
    });
}

pub(super) fn replica_set(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        spec.not_negative("replicas");
        spec.not_negative("minReadySeconds");
        selector_and_template(spec, "deployment");
    });
}

pub(super) fn replication_controller(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        spec.not_negative("minReadySeconds");
        spec.not_negative("replicas");
        match spec.get("selector").as_object().filter(|selector| !selector.is_empty()) {
            Some(selector) => labels_match(spec, &crate::selector::LabelSelector::from_map(selector)),
            None => spec.required("selector", ""),
        }
        always_restarting_template(spec);
    });
}

pub(super) fn stateful_set(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        if !matches!(spec.text("podManagementPolicy"), "OrderedReady" | "Parallel") {
            spec.invalid("podManagementPolicy", "must be 'OrderedReady' or 'Parallel'");
        }
        spec.within("updateStrategy", |strategy| {
            if !matches!(strategy.text("type"), "OnDelete" | "RollingUpdate") {
                let why = "must be 'RollingUpdate' or 'OnDelete'";
                strategy.push(Cause::invalid(strategy.path(""), &strategy_as_go(strategy), why));
            }
            if strategy.text("type") == "OnDelete" && strategy.has("rollingUpdate") {
                let rolling = json!({"Partition": strategy.get("rollingUpdate.partition"), "MaxUnavailable": strategy.get("rollingUpdate.maxUnavailable")});
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                strategy.push(Cause::invalid(strategy.path("rollingUpdate"), &rolling, why));
            }
            strategy.not_negative("rollingUpdate.partition");
        });
        spec.within("persistentVolumeClaimRetentionPolicy", |policy| {
            policy.one_of("whenDeleted", &["Delete", "Retain"]);
            policy.one_of("whenScaled", &["Delete", "Retain"]);
        });
        spec.not_negative("replicas");
        spec.not_negative("minReadySeconds");
        spec.not_negative("revisionHistoryLimit");
        selector_and_template(spec, "statefulset");
    });
}

pub(super) fn daemon_set(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        selector_and_template(spec, "daemonset");
        spec.not_negative("minReadySeconds");
        spec.within("updateStrategy", |strategy| {
            strategy.one_of("type", &["OnDelete", "RollingUpdate"]);
            if strategy.text("type") == "RollingUpdate" {
                strategy.within("rollingUpdate", |rolling| {
                    rolling.int_or_percent("maxUnavailable");
                    rolling.int_or_percent("maxSurge");
                    at_most_all(rolling, "maxUnavailable");
                    at_most_all(rolling, "maxSurge");
                    if is_zero(rolling, "maxUnavailable") && is_zero(rolling, "maxSurge") {
                        rolling.required("maxUnavailable", "cannot be 0 when maxSurge is 0");
                    }
                });
            }
        });
        spec.not_negative("revisionHistoryLimit");
    });
}

pub(super) fn job(check: &mut Check<'_>) {
    check.within_or_null("spec", job_spec);
}

fn job_spec(spec: &mut Check<'_>) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        spec.not_negative(field);
    }
    spec.one_of("completionMode", &["Indexed", "NonIndexed"]);
    if spec.text("completionMode") == "Indexed" && !spec.has("completions") {
        spec.required("completions", "when completion mode is Indexed");
    }
    if spec.has("selector")
        && let Some(selector) = spec.selector("selector")
    {
        labels_match(spec, &selector);
    }
    spec.within_or_null("template", |pods| {
        template(pods);
        let policy = pods.text("spec.restartPolicy");
        if policy == "Always" {
            pods.required("spec.restartPolicy", "valid values: \"OnFailure\", \"Never\"");
        } else if !matches!(policy, "OnFailure" | "Never") {
            pods.not_supported("spec.restartPolicy", &["OnFailure", "Never"]);
        }
    });
}

pub(super) fn cron_job(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        let schedule = spec.text("schedule");
        if schedule.is_empty() {
            spec.required("schedule", "");
        } else if schedule.contains("TZ") {
            spec.invalid(
                "schedule",
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            );
        } else if let Some(why) = schedule_error(schedule) {
            spec.invalid("schedule", &why);
        }
        spec.not_negative("startingDeadlineSeconds");
        spec.one_of("concurrencyPolicy", &["Allow", "Forbid", "Replace"]);
        spec.not_negative("successfulJobsHistoryLimit");
        spec.not_negative("failedJobsHistoryLimit");
        spec.within_or_null("jobTemplate", |job| job.within_or_null("spec", job_spec));
    });
}

/// The form of a schedule: five fields of numbers, names, ranges and steps, or one of the named ones.
fn schedule_error(schedule: &str) -> Option<String> {
    if let Some(name) = schedule.strip_prefix('@') {
        let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        let valid = known.contains(&name) || name.starts_with("every ");
        return (!valid).then(|| format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        return Some(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    fields
        .iter()
        .zip(ranges)
        .find_map(|(field, range)| field.split(',').find_map(|part| part_error(part, range)))
}

fn part_error(part: &str, (low, high): (u32, u32)) -> Option<String> {
    let (range, step) = part
        .split_once('/')
        .map_or((part, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| step.parse::<u32>().map_or(true, |step| step == 0)) {
        return Some(format!("step of range should be a positive number: {part}"));
    }
    if matches!(range, "*" | "?") {
        return None;
    }
    for end in range.split('-') {
        let named = end.len() == 3 && end.bytes().all(|byte| byte.is_ascii_alphabetic());
        match end.parse::<u32>() {
            Ok(number) if number < low => {
                return Some(format!("beginning of range ({number}) below minimum ({low}): {part}"));
            }
            Ok(number) if number > high => {
                return Some(format!("end of range ({number}) above maximum ({high}): {part}"));
            }
            Ok(_) => {}
            Err(_) if named => {}
            Err(_) => {
                return Some(format!(
                    "failed to parse int from {end}: strconv.Atoi: parsing {end:?}: invalid syntax"
                ));
            }
        }
    }
    None
}
