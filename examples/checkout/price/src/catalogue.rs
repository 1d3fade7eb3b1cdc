//! What things cost.

/// The price of an item in cents. Items that the list lacks get a price from their name, so that any load
/// generator's items have one, always the same and never zero.
pub(crate) fn price_cents(item: &str) -> u64 {
    match item {
        "kettle" => 2_499,
        "teapot" => 1_850,
        "cup" => 650,
        "spoon" => 199,
        other => {
            100 + other
                .bytes()
                .fold(0u64, |sum, byte| (sum * 31 + u64::from(byte)) % 4_900)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::price_cents;

    #[test]
    fn every_item_has_a_price_that_stays_and_is_not_zero() {
        for item in ["kettle", "", "something else", "ß"] {
            assert!(price_cents(item) >= 100, "{item}");
            assert_eq!(price_cents(item), price_cents(item));
        }
    }
}
