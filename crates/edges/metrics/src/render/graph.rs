//! A plot of characters.

use promql::engine::MatrixSeries;
use promql::number::GoFloat;

/// Series that get a letter of their own; further ones are only counted.
const SERIES_MAX: usize = 26;

/// Plots series over time on `width` by `height` characters, with a scale at the left and a legend below. One
/// series is drawn with dots, more with letters. Empty where no point is finite.
#[must_use]
pub fn graph(series: &[MatrixSeries], width: usize, height: usize) -> String {
    let (width, height) = (width.max(2), height.max(2));
    let shown = &series[..series.len().min(SERIES_MAX)];
    let points = || {
        shown
            .iter()
            .flat_map(|series| &series.floats)
            .filter(|point| point.value.is_finite())
    };
    let Some(first) = points().next() else {
        return String::new();
    };
    let (mut low, mut high) = (first.value, first.value);
    let (mut from, mut to) = (first.timestamp_ms, first.timestamp_ms);
    for point in points() {
        (low, high) = (low.min(point.value), high.max(point.value));
        (from, to) = (from.min(point.timestamp_ms), to.max(point.timestamp_ms));
    }

    let mut canvas = vec![vec![' '; width]; height];
    let place = |part: f64, size: usize| ((part * (size - 1) as f64).round() as usize).min(size - 1);
    for (index, series) in shown.iter().enumerate() {
        let mark = if shown.len() == 1 { '•' } else { letter(index) };
        for point in series.floats.iter().filter(|point| point.value.is_finite()) {
            let x = if to > from {
                (point.timestamp_ms - from) as f64 / (to - from) as f64
            } else {
                0.0
            };
            let y = if high > low {
                (point.value - low) / (high - low)
            } else {
                0.0
            };
            canvas[height - 1 - place(y, height)][place(x, width)] = mark;
        }
    }

    let (top, bottom) = (GoFloat(high).to_string(), GoFloat(low).to_string());
    let margin = top.len().max(bottom.len());
    let mut text = String::new();
    for (row, line) in canvas.iter().enumerate() {
        let scale = if row == 0 {
            top.as_str()
        } else if row + 1 == height {
            &bottom
        } else {
            ""
        };
        let line: String = line.iter().collect();
        text.push_str(format!("{scale:>margin$} ┤{line}").trim_end());
        text.push('\n');
    }
    let (start, end) = (clock(from), clock(to));
    let gap = width.saturating_sub(start.len() + end.len());
    text.push_str(&format!("{:margin$}  {start}{}{end}\n", "", " ".repeat(gap)));
    if shown.len() > 1 {
        for (index, series) in shown.iter().enumerate() {
            text.push_str(&format!("{:margin$}  {} {}\n", "", letter(index), series.labels));
        }
    }
    if series.len() > SERIES_MAX {
        text.push_str(&format!(
            "{:margin$}  and {} more series\n",
            "",
            series.len() - SERIES_MAX
        ));
    }
    text
}

fn letter(index: usize) -> char {
    // At most SERIES_MAX letters are asked for.
    char::from(b'a' + (index % SERIES_MAX) as u8)
}

fn clock(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms);
    time.map_or_else(|_| String::new(), |time| time.strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql::labels::Labels;
    use promql::sample::FloatPoint;

    fn series(name: &str, values: &[f64]) -> MatrixSeries {
        let floats = values
            .iter()
            .zip(0..)
            .map(|(&value, at)| FloatPoint {
                timestamp_ms: at * 60_000,
                value,
            })
            .collect();
        MatrixSeries {
            labels: Labels::from_pairs([("pod", name)]),
            floats,
            histograms: vec![],
        }
    }

    #[test]
    fn a_line_rises_from_the_corner_to_the_corner() {
        let plot = graph(&[series("a", &[0.0, 1.0, 2.0, f64::NAN, 4.0])], 21, 5);
        assert_eq!(
            plot,
            "4 ┤                    •\n  ┤\n  ┤          •\n  ┤     •\n0 ┤•\n   00:00:00     00:04:00\n"
        );
    }

    #[test]
    fn several_series_have_letters_and_nothing_is_nothing() {
        let plot = graph(&[series("x", &[1.0, 1.0]), series("y", &[2.0, 3.0])], 20, 3);
        assert!(
            plot.contains("a {pod=\"x\"}") && plot.contains("b {pod=\"y\"}"),
            "{plot}"
        );
        assert_eq!(graph(&[], 20, 3), "");
        assert_eq!(graph(&[series("x", &[f64::NAN])], 20, 3), "");
        assert!(graph(&[series("x", &[5.0])], 20, 3).starts_with("5 ┤"));
    }
}
