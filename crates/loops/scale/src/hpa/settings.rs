//! What the controller is set to, as data.

/// How far a ratio may be from 1 without a change; fractions (0.1 = 10 %).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Below 1.
    pub scale_down: f64,
    /// Above 1.
    pub scale_up: f64,
}

impl Tolerance {
    /// The same in both directions.
    pub const fn both(fraction: f64) -> Self {
        Self {
            scale_down: fraction,
            scale_up: fraction,
        }
    }

    /// Whether `ratio` is close enough to 1 to change nothing.
    pub fn holds(&self, ratio: f64) -> bool {
        1.0 - self.scale_down <= ratio && ratio <= 1.0 + self.scale_up
    }
}

/// Behaviour that came with a Kubernetes minor release or a feature gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// The controller remembers that it scaled to zero itself, and only then scales up from zero.
    pub scale_to_zero: bool,
    /// `behavior.*.tolerance` is honoured.
    pub configurable_tolerance: bool,
    /// `status.observedGeneration` is written.
    pub observed_generation: bool,
    /// Requests of the whole pod take precedence over those of its containers.
    pub pod_level_resources: bool,
    /// An external metric that fails for long is replaced by its `fallback` (KEP-5679).
    pub external_fallback: bool,
}

impl Features {
    /// The defaults of Kubernetes `1.minor` (pkg/features/kube_features.go at v1.37.2).
    pub const fn of_minor(minor: u32) -> Self {
        Self {
            scale_to_zero: minor >= 37,
            configurable_tolerance: minor >= 35,
            observed_generation: minor >= 37,
            pod_level_resources: minor >= 34,
            external_fallback: false,
        }
    }
}

/// The controller's own settings; the defaults are those of kube-controller-manager 1.37.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Used where `behavior` sets none.
    pub tolerance: Tolerance,
    /// How long the highest recommendation holds against a lower one, in seconds.
    pub downscale_stabilization_seconds: i64,
    /// After a pod's start, how long its CPU samples count only while it is ready, in seconds.
    pub cpu_initialization_period_seconds: i64,
    /// A pod that became unready within this time of its start has never been ready, in seconds.
    pub initial_readiness_delay_seconds: i64,
    /// Without `behavior`, one turn multiplies by this at most …
    pub scale_up_limit_factor: f64,
    /// … or reaches this count, whichever is more.
    pub scale_up_limit_minimum: f64,
    /// Which behaviour of which release.
    pub features: Features,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tolerance: Tolerance::both(0.1),
            downscale_stabilization_seconds: 300,
            cpu_initialization_period_seconds: 300,
            initial_readiness_delay_seconds: 30,
            scale_up_limit_factor: 2.0,
            scale_up_limit_minimum: 4.0,
            features: Features::of_minor(37),
        }
    }
}
