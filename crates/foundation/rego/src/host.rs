//! What a policy may ask of the world. The engine itself has no clock, no chance, no network.

use crate::error::Location;
use crate::value::Value;

/// The world as an evaluation sees it. Each method has a default that knows nothing, so a host
/// offers only what its policies may use.
pub trait Host {
    /// Nanoseconds since 1970. Asked once per evaluation.
    fn now_ns(&self) -> i64 {
        0
    }

    /// Random bits, for `rand.intn` and `uuid.rfc4122`.
    fn random(&self) -> u64 {
        0
    }

    /// What `opa.runtime()` returns.
    fn runtime(&self) -> Value {
        Value::empty_object()
    }

    /// Sends an HTTP request that has been checked, and returns the response object.
    ///
    /// # Errors
    /// A sentence that says why there is no response.
    fn http_send(&self, request: &Value) -> Result<Value, String> {
        let _ = request;
        Err("http.send is not available here".to_owned())
    }

    /// The addresses of a host name.
    ///
    /// # Errors
    /// A sentence that says why there are none.
    fn lookup_ip(&self, name: &str) -> Result<Vec<String>, String> {
        Err(format!("lookup {name}: name resolution is not available here"))
    }

    /// Takes the text of a `print` call.
    fn print(&self, location: &Location, text: &str) {
        let _ = (location, text);
    }

    /// Whether the evaluation has to end now. Asked every thousand steps or so.
    fn should_stop(&self) -> bool {
        false
    }
}

/// A world in which the time is given and nothing else exists.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost {
    /// Nanoseconds since 1970.
    pub now_ns: i64,
}

impl Host for NoHost {
    fn now_ns(&self) -> i64 {
        self.now_ns
    }
}

/// What one evaluation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: about one per statement and per value tried.
    pub steps: u64,
    /// Rules, functions and loops within each other. Each level takes stack.
    pub depth: u32,
    /// Results of a query.
    pub results: usize,
    /// Values made: items of comprehensions, members of partial rules, results of built-ins.
    pub memory_values: u64,
}

impl Default for Limits {
    /// Ample for policies that people write: the largest of the public libraries need a
    /// hundredth of it. A hostile policy ends within seconds and a gigabyte.
    fn default() -> Self {
        Self {
            steps: 100_000_000,
            depth: 250,
            results: 100_000,
            memory_values: 20_000_000,
        }
    }
}
