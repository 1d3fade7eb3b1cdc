//! One question for all who ask the same.
//!
//! ```text
//!   HPA 1 ─┐
//!   HPA 2 ─┼─ query text ──> in flight? wait for it ──> one request to Prometheus
//!   HPA 3 ─┘             └─> younger than the bound? from memory
//! ```
//!
//! Load on Prometheus follows the number of distinct questions, not the number of autoscalers that ask them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flyball_core::Timestamp;
use jiff::SignedDuration;
use tokio::sync::OnceCell;

use super::source::{Answer, MetricsQuery, SourceError};

/// Answers that are remembered; the oldest goes first. A thousand metrics of a few kilobytes are some megabytes.
const ANSWERS_MAX: usize = 4096;

/// How long a question may take: less than the timeout of the API's callers (30 s) and than two sync periods.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);

/// Shares and remembers answers.
pub struct Planner {
    source: Arc<dyn MetricsQuery>,
    freshness: Duration,
    deadline: Duration,
    answers: Mutex<HashMap<String, Held>>,
    counters: Counters,
}

type Shared = Arc<OnceCell<Result<Arc<Answer>, SourceError>>>;

#[derive(Clone)]
struct Held {
    asked_at: Timestamp,
    answer: Shared,
}

/// How often what happened.
#[derive(Debug, Default)]
pub struct Counters {
    /// Questions of callers.
    pub asked: AtomicU64,
    /// Questions that went to Prometheus.
    pub sent: AtomicU64,
    /// Those that failed.
    pub failed: AtomicU64,
}

impl Planner {
    /// A planner whose answers are at most `freshness` old. Zero shares only what is asked at the same instant.
    pub fn new(source: Arc<dyn MetricsQuery>, freshness: Duration) -> Self {
        Self {
            source,
            freshness,
            deadline: DEADLINE_DEFAULT,
            answers: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// The source behind it.
    pub fn source(&self) -> &dyn MetricsQuery {
        &*self.source
    }

    /// How often what happened.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The answer to a query as of `now`, or at most `freshness` before.
    ///
    /// # Errors
    /// When Prometheus cannot answer; a failure is not remembered.
    pub async fn instant(&self, query: &str, now: Timestamp) -> Result<Arc<Answer>, SourceError> {
        self.counters.asked.fetch_add(1, Ordering::Relaxed);
        let (asked_at, cell) = self.cell(query, now);
        let answer = cell
            .get_or_init(|| async {
                self.counters.sent.fetch_add(1, Ordering::Relaxed);
                let asked = self.source.instant(query, asked_at, self.deadline);
                match tokio::time::timeout(self.deadline, asked).await {
                    Ok(answer) => answer.map(Arc::new),
                    Err(_) => Err(SourceError(format!("no answer within {:?}", self.deadline))),
                }
            })
            .await
            .clone();
        if answer.is_err() {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
            self.forget(query, &cell);
        }
        answer
    }

    fn cell(&self, query: &str, now: Timestamp) -> (Timestamp, Shared) {
        let bound = SignedDuration::try_from(self.freshness).unwrap_or(SignedDuration::MAX);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = answers.get(query) {
            let age = now.duration_since(held.asked_at);
            if !age.is_negative() && age <= bound {
                return (held.asked_at, held.answer.clone());
            }
        }
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, held| now.duration_since(held.asked_at) <= bound);
            let oldest = answers
                .iter()
                .min_by_key(|(_, held)| held.asked_at)
                .map(|(query, _)| query.clone());
            if let Some(oldest) = oldest.filter(|_| answers.len() >= ANSWERS_MAX) {
                answers.remove(&oldest);
            }
        }
        let answer = Shared::default();
        answers.insert(
            query.to_owned(),
            Held {
                asked_at: now,
                answer: answer.clone(),
            },
        );
        (now, answer)
    }

    fn forget(&self, query: &str, cell: &Shared) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.get(query).is_some_and(|held| Arc::ptr_eq(&held.answer, cell)) {
            answers.remove(query);
        }
    }
}
