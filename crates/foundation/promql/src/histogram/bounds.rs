//! Where buckets end.

/// The finest exponential schema.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;
/// The coarsest exponential schema.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;
/// The schema of histograms with explicit bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The upper bound of bucket `index`: of a custom schema from `custom_values`, otherwise a power of two's root.
#[must_use]
pub fn upper_bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if schema != CUSTOM_BUCKETS_SCHEMA {
        return exponential_bound(index, schema);
    }
    match usize::try_from(index) {
        Err(_) => f64::NEG_INFINITY,
        Ok(index) => custom_values.get(index).copied().unwrap_or(f64::INFINITY),
    }
}

/// The bucket just below 2^1024 ends at the largest float instead of infinity, so that infinite observations have
/// a bucket of their own.
pub(super) fn exponential_bound(index: i32, schema: i32) -> f64 {
    let (exponent, fraction) = if schema <= 0 {
        (i64::from(index) << schema.unsigned_abs().min(30), 0)
    } else {
        let divisions = 1_i64 << schema.min(30);
        (
            i64::from(index).div_euclid(divisions),
            i64::from(index).rem_euclid(divisions),
        )
    };
    if exponent == 1024 && fraction == 0 {
        return f64::MAX;
    }
    let mantissa = if fraction == 0 {
        1.0
    } else {
        (fraction as f64 / f64::from(schema).exp2()).exp2()
    };
    scale_by_power_of_two(mantissa, exponent)
}

/// `mantissa * 2^exponent` in two steps, so that subnormal results do not lose the whole value early.
fn scale_by_power_of_two(mantissa: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2200, 2200) as i32;
    let half = exponent / 2;
    mantissa * f64::from(half).exp2() * f64::from(exponent - half).exp2()
}

/// The index in a coarser schema of the bucket that contains bucket `index` of a finer one.
pub(super) fn coarser_index(index: i32, from_schema: i32, to_schema: i32) -> i32 {
    (index.wrapping_sub(1) >> (from_schema - to_schema).clamp(0, 31)).wrapping_add(1)
}

/// The bounds that two custom schemas have in common.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let (mut rest, mut common) = (b, Vec::new());
    for bound in a {
        rest = &rest[rest.partition_point(|candidate| candidate < bound)..];
        if rest.first() == Some(bound) {
            common.push(*bound);
        }
    }
    common
}

/// The bucket among `common` that contains bucket `index` of `bounds`.
pub(super) fn common_index(index: i32, bounds: &[f64], common: &[f64]) -> i32 {
    let upper = usize::try_from(index).ok().and_then(|index| bounds.get(index));
    let at = upper.map_or(common.len(), |upper| common.partition_point(|bound| bound < upper));
    i32::try_from(at).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two_and_their_roots() {
        let check = |index, schema, expect: f64| {
            let bound = exponential_bound(index, schema);
            assert!(
                (bound - expect).abs() <= expect * 1e-15,
                "bucket {index} of schema {schema}: {bound}"
            );
        };
        check(0, 0, 1.0);
        check(3, 0, 8.0);
        check(-1, 0, 0.5);
        check(1, 1, std::f64::consts::SQRT_2);
        check(-3, 2, 2f64.powf(-0.75));
        check(1, -2, 16.0);
        check(1024, 0, f64::MAX);
        assert_eq!(exponential_bound(1025, 0), f64::INFINITY);
        assert_eq!(exponential_bound(-1074, 0), 5e-324);
    }

    #[test]
    fn coarser_buckets_contain_finer_ones() {
        for index in -40..40 {
            let coarse = coarser_index(index, 3, 1);
            assert!(exponential_bound(coarse, 1) >= exponential_bound(index, 3) * (1.0 - 1e-14));
            assert!(exponential_bound(coarse - 1, 1) <= exponential_bound(index - 1, 3) * (1.0 + 1e-14));
        }
    }

    #[test]
    fn common_bounds_are_the_intersection() {
        assert_eq!(common_bounds(&[1.0, 2.0, 5.0], &[2.0, 3.0, 5.0, 9.0]), [2.0, 5.0]);
        assert_eq!(common_index(0, &[1.0, 2.0, 5.0], &[2.0, 5.0]), 0);
        assert_eq!(common_index(2, &[1.0, 2.0, 5.0], &[2.0, 5.0]), 1);
        assert_eq!(common_index(3, &[1.0, 2.0, 5.0], &[2.0, 5.0]), 2);
    }
}
