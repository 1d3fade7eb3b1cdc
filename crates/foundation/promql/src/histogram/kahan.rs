//! Plain and compensated sums.

/// Something that floats are added to.
pub trait Tally: Copy + Default {
    /// Adds a float.
    fn add(&mut self, value: f64);
    /// Adds another tally with its error.
    fn absorb(&mut self, other: Self);
    /// The sum.
    fn total(self) -> f64;
}

impl Tally for f64 {
    fn add(&mut self, value: f64) {
        *self += value;
    }
    fn absorb(&mut self, other: f64) {
        *self += other;
    }
    fn total(self) -> f64 {
        self
    }
}

/// A compensated sum after Kahan, in Neumaier's variant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kahan {
    /// The running sum.
    pub sum: f64,
    /// What rounding has lost so far.
    pub compensation: f64,
}

impl Kahan {
    /// A sum that starts at `value`.
    #[must_use]
    pub const fn new(value: f64) -> Self {
        Kahan {
            sum: value,
            compensation: 0.0,
        }
    }
}

impl Tally for Kahan {
    fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.compensation = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.compensation += (self.sum - total) + value;
        } else {
            self.compensation += (value - total) + self.sum;
        }
        self.sum = total;
    }
    fn absorb(&mut self, other: Kahan) {
        self.add(other.sum);
        self.add(other.compensation);
    }
    fn total(self) -> f64 {
        self.sum + self.compensation
    }
}
