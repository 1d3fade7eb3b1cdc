//! The functions of the language and their signatures.

use crate::ast::ValueType;

/// What a function takes and returns.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The types of its arguments; the last one repeats if the function is variadic.
    pub args: &'static [ValueType],
    /// How many of the last arguments may be left out or added.
    pub variadic: Variadic,
    /// The type of its result.
    pub result: ValueType,
    /// Whether it must be enabled by [`crate::parser::ParserOptions::experimental_functions`].
    pub experimental: bool,
}

/// How many arguments a function accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variadic {
    /// Exactly those of the signature.
    No,
    /// The last one may be absent, and up to this many may stand in its place.
    UpTo(usize),
    /// The last one may be absent, and any number may stand in its place.
    Any,
}

impl Signature {
    /// The smallest number of arguments.
    #[must_use]
    pub fn args_min(&self) -> usize {
        self.args.len() - usize::from(self.variadic != Variadic::No)
    }

    /// The largest number of arguments, `None` if there is no limit.
    #[must_use]
    pub fn args_max(&self) -> Option<usize> {
        match self.variadic {
            Variadic::No => Some(self.args.len()),
            Variadic::UpTo(extra) => Some(self.args_min() + extra),
            Variadic::Any => None,
        }
    }

    /// The type of argument `at`.
    #[must_use]
    pub fn arg_type(&self, at: usize) -> Option<ValueType> {
        self.args.get(at).or(self.args.last()).copied()
    }
}

macro_rules! functions {
    ($($function:ident $name:literal ($($arg:ident),*) $variadic:expr, $result:ident $(, $experimental:ident)?;)*) => {
        /// A function of the language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are those of the language")]
        pub enum Function { $($function),* }

        impl Function {
            /// All functions in alphabetical order.
            pub const ALL: &'static [Function] = &[$(Function::$function),*];

            /// The function's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Function::$function => $name),* }
            }

            /// What the function takes and returns.
            #[must_use]
            pub const fn signature(self) -> Signature {
                match self {
                    $(Function::$function => Signature {
                        args: &[$(ValueType::$arg),*],
                        variadic: $variadic,
                        result: ValueType::$result,
                        experimental: [$(functions!(@$experimental),)? false][0],
                    }),*
                }
            }
        }
    };
    (@experimental) => { true };
}

use Variadic::{Any, No, UpTo};

functions! {
    Abs "abs" (Vector) No, Vector;
    Absent "absent" (Vector) No, Vector;
    AbsentOverTime "absent_over_time" (Matrix) No, Vector;
    Acos "acos" (Vector) No, Vector;
    Acosh "acosh" (Vector) No, Vector;
    Asin "asin" (Vector) No, Vector;
    Asinh "asinh" (Vector) No, Vector;
    Atan "atan" (Vector) No, Vector;
    Atanh "atanh" (Vector) No, Vector;
    AvgOverTime "avg_over_time" (Matrix) No, Vector;
    Ceil "ceil" (Vector) No, Vector;
    Changes "changes" (Matrix) No, Vector;
    Clamp "clamp" (Vector, Scalar, Scalar) No, Vector;
    ClampMax "clamp_max" (Vector, Scalar) No, Vector;
    ClampMin "clamp_min" (Vector, Scalar) No, Vector;
    Cos "cos" (Vector) No, Vector;
    Cosh "cosh" (Vector) No, Vector;
    CountOverTime "count_over_time" (Matrix) No, Vector;
    DayOfMonth "day_of_month" (Vector) UpTo(1), Vector;
    DayOfWeek "day_of_week" (Vector) UpTo(1), Vector;
    DayOfYear "day_of_year" (Vector) UpTo(1), Vector;
    DaysInMonth "days_in_month" (Vector) UpTo(1), Vector;
    Deg "deg" (Vector) No, Vector;
    Delta "delta" (Matrix) No, Vector;
    Deriv "deriv" (Matrix) No, Vector;
    DoubleExponentialSmoothing "double_exponential_smoothing" (Matrix, Scalar, Scalar) No, Vector, experimental;
    End "end" () No, Scalar, experimental;
    Exp "exp" (Vector) No, Vector;
    FirstOverTime "first_over_time" (Matrix) No, Vector;
    Floor "floor" (Vector) No, Vector;
    HistogramAvg "histogram_avg" (Vector) No, Vector;
    HistogramCount "histogram_count" (Vector) No, Vector;
    HistogramFraction "histogram_fraction" (Scalar, Scalar, Vector) No, Vector;
    HistogramQuantile "histogram_quantile" (Scalar, Vector) No, Vector;
    HistogramQuantiles "histogram_quantiles" (Vector, String, Scalar, Scalar) UpTo(9), Vector, experimental;
    HistogramStddev "histogram_stddev" (Vector) No, Vector;
    HistogramStdvar "histogram_stdvar" (Vector) No, Vector;
    HistogramSum "histogram_sum" (Vector) No, Vector;
    Hour "hour" (Vector) UpTo(1), Vector;
    Idelta "idelta" (Matrix) No, Vector;
    Increase "increase" (Matrix) No, Vector;
    Info "info" (Vector, Vector) UpTo(1), Vector, experimental;
    Integral "integral" (Matrix, Scalar) UpTo(1), Vector, experimental;
    Irate "irate" (Matrix) No, Vector;
    LabelJoin "label_join" (Vector, String, String, String) Any, Vector;
    LabelReplace "label_replace" (Vector, String, String, String, String) No, Vector;
    LastOverTime "last_over_time" (Matrix) No, Vector;
    Ln "ln" (Vector) No, Vector;
    Log10 "log10" (Vector) No, Vector;
    Log2 "log2" (Vector) No, Vector;
    MadOverTime "mad_over_time" (Matrix) No, Vector, experimental;
    MaxOf "max_of" (Scalar, Scalar) No, Scalar, experimental;
    MaxOverTime "max_over_time" (Matrix) No, Vector;
    MinOf "min_of" (Scalar, Scalar) No, Scalar, experimental;
    MinOverTime "min_over_time" (Matrix) No, Vector;
    Minute "minute" (Vector) UpTo(1), Vector;
    Month "month" (Vector) UpTo(1), Vector;
    Pi "pi" () No, Scalar;
    PredictLinear "predict_linear" (Matrix, Scalar) No, Vector;
    PresentOverTime "present_over_time" (Matrix) No, Vector;
    QuantileOverTime "quantile_over_time" (Scalar, Matrix) No, Vector;
    Rad "rad" (Vector) No, Vector;
    Range "range" () No, Scalar, experimental;
    Rate "rate" (Matrix) No, Vector;
    Resets "resets" (Matrix) No, Vector;
    Round "round" (Vector, Scalar) UpTo(1), Vector;
    Scalar "scalar" (Vector) No, Scalar;
    Sgn "sgn" (Vector) No, Vector;
    Sin "sin" (Vector) No, Vector;
    Sinh "sinh" (Vector) No, Vector;
    Sort "sort" (Vector) No, Vector;
    SortByLabel "sort_by_label" (Vector, String) Any, Vector, experimental;
    SortByLabelDesc "sort_by_label_desc" (Vector, String) Any, Vector, experimental;
    SortDesc "sort_desc" (Vector) No, Vector;
    Sqrt "sqrt" (Vector) No, Vector;
    Start "start" () No, Scalar, experimental;
    StartTimestamp "start_timestamp" (Vector) No, Vector, experimental;
    StddevOverTime "stddev_over_time" (Matrix) No, Vector;
    StdvarOverTime "stdvar_over_time" (Matrix) No, Vector;
    Step "step" () No, Scalar, experimental;
    SumOverTime "sum_over_time" (Matrix) No, Vector;
    Tan "tan" (Vector) No, Vector;
    Tanh "tanh" (Vector) No, Vector;
    Time "time" () No, Scalar;
    Timestamp "timestamp" (Vector) No, Vector;
    TsOfFirstOverTime "ts_of_first_over_time" (Matrix) No, Vector, experimental;
    TsOfLastOverTime "ts_of_last_over_time" (Matrix) No, Vector, experimental;
    TsOfMaxOverTime "ts_of_max_over_time" (Matrix) No, Vector, experimental;
    TsOfMinOverTime "ts_of_min_over_time" (Matrix) No, Vector, experimental;
    Vector "vector" (Scalar) No, Vector;
    Year "year" (Vector) UpTo(1), Vector;
}

impl Function {
    /// The function of a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Function> {
        Function::ALL
            .binary_search_by(|function| function.name().cmp(name))
            .ok()
            .map(|at| Function::ALL[at])
    }

    /// The functions whose names look most like `name`: what a user may have meant.
    #[must_use]
    pub fn similar_to(name: &str) -> Option<Function> {
        let distance = |function: &&Function| edit_distance(function.name(), name);
        Function::ALL
            .iter()
            .min_by_key(distance)
            .filter(|best| distance(best) <= 2)
            .copied()
    }
}

/// The number of single-byte edits between two short names (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<u8> = b.bytes().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(Function::ALL.windows(2).all(|pair| pair[0].name() < pair[1].name()));
        assert!(
            Function::ALL
                .iter()
                .all(|function| Function::by_name(function.name()) == Some(*function))
        );
        assert_eq!(Function::by_name("rat"), None);
        assert_eq!(Function::similar_to("sum_over_tine"), Some(Function::SumOverTime));
    }
}
