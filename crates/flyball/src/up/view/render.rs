//! A view as lines for a terminal.

use super::{Pod, View, Workload};

/// How wide the bar of replicas is drawn at most; a workload with more replicas gets a number alone.
const BAR_WIDTH_MAX: i32 = 20;
/// Decisions shown; the rest is in `flyball why`.
const DECISIONS_SHOWN: usize = 5;

/// The lines of a view, each cut to `width` characters, at most `height` of them. Pods give way first: the
/// addresses, the replicas and what is wrong must stay in sight.
pub(crate) fn render(view: &View, width: usize, height: usize) -> Vec<String> {
    let mut top = Vec::new();
    section(
        &mut top,
        "REACH",
        view.addresses
            .iter()
            .map(|(name, address)| format!("{name:<14} {address}")),
    );
    section(&mut top, "REPLICAS", view.workloads.iter().map(workload));
    let mut bottom = Vec::new();
    let surplus = view.decisions.len().saturating_sub(DECISIONS_SHOWN);
    section(&mut bottom, "DECIDED", view.decisions.iter().skip(surplus).cloned());
    section(
        &mut bottom,
        "PROBLEMS",
        view.problems
            .iter()
            .flat_map(|problem| problem.lines().map(str::to_owned)),
    );

    let room = height.saturating_sub(top.len() + bottom.len() + 2);
    let mut lines = top;
    section(&mut lines, "PODS", pods(&view.pods, room).into_iter());
    lines.extend(bottom);
    lines.truncate(height);
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

fn section(lines: &mut Vec<String>, title: &str, content: impl Iterator<Item = String>) {
    let before = lines.len();
    lines.extend(content.map(|line| format!("  {line}")));
    if lines.len() > before {
        lines.insert(before, title.to_owned());
        lines.push(String::new());
    }
}

fn workload(workload: &Workload) -> String {
    let Workload {
        name,
        desired,
        ready,
        autoscaler,
    } = workload;
    let filled = (*ready).clamp(0, BAR_WIDTH_MAX);
    let empty = (*desired).min(BAR_WIDTH_MAX) - filled;
    let bar = format!("{}{}", repeat("■", filled), repeat("□", empty));
    let mut line = format!("{name:<16} {ready}/{desired} ready  {bar}");
    if let Some(autoscaler) = autoscaler {
        let (minimum, maximum) = (autoscaler.minimum, autoscaler.maximum);
        let metrics = autoscaler.metrics.join(", ");
        line = format!("{line:<44} {minimum}..{maximum}  {metrics}");
    }
    line
}

fn repeat(text: &str, times: i32) -> String {
    text.repeat(usize::try_from(times).unwrap_or(0))
}

fn pods(pods: &[Pod], room: usize) -> Vec<String> {
    // Pods that are not ready come first: they are what the reader looks for.
    let mut sorted: Vec<&Pod> = pods.iter().collect();
    sorted.sort_by_key(|pod| (pod.is_ready(), pod.name.clone()));
    let shown = if sorted.len() > room {
        room.saturating_sub(1)
    } else {
        sorted.len()
    };
    let mut lines: Vec<String> = sorted.iter().take(shown).map(|pod| pod_line(pod)).collect();
    if sorted.len() > shown {
        lines.push(format!("and {} more", sorted.len() - shown));
    }
    lines
}

fn pod_line(pod: &Pod) -> String {
    let ready = format!("{}/{}", pod.ready.0, pod.ready.1);
    let restarts = match pod.restarts {
        0 => String::new(),
        1 => "1 restart".to_owned(),
        many => format!("{many} restarts"),
    };
    format!(
        "{:<34} {ready:<6} {:<20} {:<22} {restarts}",
        pod.name, pod.status, pod.address
    )
    .trim_end()
    .to_owned()
}

fn cut(line: &str, width: usize) -> String {
    match line.chars().count() > width {
        true => line.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Autoscaler;
    use super::*;

    fn view() -> View {
        let pod = |name: &str, ready| Pod {
            name: name.into(),
            ready: (ready, 1),
            status: "Running".into(),
            restarts: 0,
            address: "127.1.0.5:8080".into(),
        };
        View {
            addresses: vec![("web".into(), "http://web.default.localhost:8000".into())],
            workloads: vec![Workload {
                name: "deploy/web".into(),
                desired: 4,
                ready: 3,
                autoscaler: Some(Autoscaler {
                    metrics: vec!["http_requests_per_second 14.2/15".into()],
                    minimum: 2,
                    maximum: 8,
                }),
            }],
            pods: vec![pod("web-a", 1), pod("web-b", 0), pod("web-c", 1)],
            decisions: vec!["12:00:00 scale hpa/web: scale Deployment/web from 2 to 4".into()],
            problems: vec![],
        }
    }

    #[test]
    fn the_picture_has_every_part_and_no_empty_ones() {
        let text = render(&view(), 100, 40).join("\n");
        for part in [
            "REACH\n  web            http://web.default.localhost:8000",
            "deploy/web       3/4 ready  ■■■□",
            "2..8  http_requests_per_second 14.2/15",
            "PODS\n  web-b",
            "DECIDED\n  12:00:00 scale hpa/web",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("PROBLEMS"), "{text}");
    }

    #[test]
    fn a_small_terminal_keeps_what_matters() {
        let mut view = view();
        view.problems.push("price cannot run: no command".into());
        for height in 1..40 {
            let lines = render(&view, 40, height);
            assert!(lines.len() <= height, "{height}");
            assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        }
        let text = render(&view, 60, 16).join("\n");
        assert!(
            text.contains("and 2 more") && text.contains("price cannot run"),
            "{text}"
        );
    }
}
