//! Quantities and label selectors against apimachinery itself (`tools/golden/texts` writes the file).

use apimachinery::quantity::Quantity;
use apimachinery::selector::LabelSelector;

const TEXTS: &str = include_str!("data/texts.tsv");

#[test]
fn texts_read_as_upstream_reads_them() {
    let mut failures = Vec::new();
    for line in TEXTS.lines() {
        let mut columns = line.split('\t');
        let (Some(kind), Some(text), Some(expect)) = (columns.next(), columns.next(), columns.next()) else {
            panic!("three columns in {line:?}")
        };
        let got = match kind {
            "quantity" => match text.parse::<Quantity>() {
                Ok(quantity) => format!("{quantity} {} {}", quantity.value(), quantity.milli_value()),
                Err(_) => "error".to_owned(),
            },
            _ => match LabelSelector::parse(text) {
                Ok(selector) => selector.to_string(),
                Err(error) => format!("error {error}"),
            },
        };
        // Rounded values of negative quantities overflow or change sign in upstream's slow path; only the text is compared.
        let canonical = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let same =
            got == expect || (kind == "quantity" && text.starts_with('-') && canonical(&got) == canonical(expect));
        if !same {
            failures.push(format!("{kind} {text:?}\n  got    {got}\n  expect {expect}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        TEXTS.lines().count(),
        failures.join("\n")
    );
}
