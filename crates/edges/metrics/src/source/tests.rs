//! Faults of every kind, in process and with paused time: each ends in a named error within its deadline.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use http::{HeaderMap, Request, StatusCode};
use promql::store::Limits;

use super::*;
use crate::Store;

/// What a replica does with a request.
#[derive(Clone)]
enum Act {
    Answer(u16, &'static str),
    AnswerAfter(Duration, &'static str),
    Refuse,
    /// Never answers.
    Silent,
    /// A head and the start of a body, then nothing.
    Stall,
    /// A body without end.
    Endless,
    /// A body that breaks off.
    Reset,
    RetryAfter(u64),
}

/// Replicas by host name: `a` does the first act, `b` the second; and what was asked.
struct Fake {
    acts: Vec<(&'static str, Act)>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn new(acts: &[(&'static str, Act)]) -> Arc<Self> {
        Arc::new(Fake {
            acts: acts.to_vec(),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic elsewhere"))
    }
}

impl Transport for Fake {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, SourceError>> {
        let host = request.uri().host().expect("an absolute URL").to_owned();
        self.asked.lock().expect("no panic elsewhere").push(host.clone());
        let act = self
            .acts
            .iter()
            .find(|(name, _)| *name == host)
            .expect("a known host")
            .1
            .clone();
        Box::pin(async move {
            let body = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]).boxed();
            let answer = |status: u16, body| Response {
                status: StatusCode::from_u16(status).expect("a status"),
                headers: HeaderMap::new(),
                body,
            };
            let start = Bytes::from_static(br#"{"status":"success","data":{"#);
            Ok(match act {
                Act::Answer(status, text) => answer(status, body(text)),
                Act::AnswerAfter(wait, text) => {
                    tokio::time::sleep(wait).await;
                    answer(200, body(text))
                }
                Act::Refuse => return Err(SourceError::Unreachable("connection refused".into())),
                Act::Silent => std::future::pending().await,
                Act::Stall => answer(200, stream::iter([Ok(start)]).chain(stream::pending()).boxed()),
                Act::Endless => answer(200, stream::repeat(Ok(Bytes::from_static(&[b' '; 4096]))).boxed()),
                Act::Reset => {
                    let reset = Err(SourceError::Unreachable("connection reset".into()));
                    answer(200, stream::iter([Ok(start), reset]).boxed())
                }
                Act::RetryAfter(seconds) => {
                    let mut response = answer(429, body(""));
                    response.headers.insert("retry-after", seconds.into());
                    response
                }
            })
        })
    }
}

const ONE: &str =
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1,"1"]}]}}"#;
const NONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const DEADLINE: Duration = Duration::from_secs(10);

fn server(fake: Arc<Fake>) -> Server {
    let urls = fake.acts.iter().map(|(name, _)| format!("http://{name}/")).collect();
    let settings = ServerSettings {
        urls,
        body_bytes_max: 1 << 20,
        ..ServerSettings::default()
    };
    Server::with_transport(settings, fake).expect("valid settings")
}

async fn ask(server: &Server) -> Result<Answer, SourceError> {
    server.instant("up", 1000, Instant::now() + DEADLINE).await
}

#[tokio::test(start_paused = true)]
async fn each_fault_has_its_name_and_comes_in_time() {
    let cases = [
        (Act::Refuse, "SourceUnreachable"),
        (Act::Silent, "SourceTimeout"),
        (Act::Stall, "SourceTimeout"),
        (Act::Endless, "AnswerTooLarge"),
        (Act::Reset, "SourceUnreachable"),
        (Act::RetryAfter(1), "SourceOverloaded"),
        (Act::Answer(503, "no healthy upstream"), "SourceOverloaded"),
        (Act::Answer(500, "oops"), "SourceStatus"),
        (Act::Answer(404, "404 page not found"), "SourceStatus"),
        (Act::Answer(401, ""), "SourceForbidden"),
        (Act::Answer(200, "<html>Sign in</html>"), "SourceMalformed"),
        (
            Act::Answer(200, r#"{"status":"success","data":{"resultTy"#),
            "SourceMalformed",
        ),
        (
            Act::Answer(
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            ),
            "QueryRejected",
        ),
        (
            Act::Answer(
                503,
                r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
            ),
            "QueryRejected",
        ),
    ];
    for (act, code) in cases {
        let started = Instant::now();
        let error = ask(&server(Fake::new(&[("a", act)]))).await.expect_err(code);
        assert_eq!(error.code(), code, "{error}");
        assert!(started.elapsed() <= DEADLINE);
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn no_data_is_not_a_zero() {
    let answer = ask(&server(Fake::new(&[("a", Act::Answer(200, NONE))]))).await;
    assert_eq!(
        answer,
        Ok(Answer {
            found: Found::Nothing,
            warnings: vec![]
        })
    );
    let nan = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}"#;
    let answer = ask(&server(Fake::new(&[("a", Act::Answer(200, nan))])))
        .await
        .expect("an answer");
    assert_eq!(answer.found.samples()[0].finite(), None);
}

#[tokio::test(start_paused = true)]
async fn the_other_replica_answers() {
    for first in [
        Act::Refuse,
        Act::Answer(500, ""),
        Act::Answer(200, "<html>"),
        Act::Reset,
    ] {
        let fake = Fake::new(&[("a", first), ("b", Act::Answer(200, ONE))]);
        let started = Instant::now();
        assert_eq!(
            ask(&server(fake.clone()))
                .await
                .expect("an answer")
                .found
                .samples()
                .len(),
            1
        );
        assert_eq!(
            (fake.asked(), started.elapsed()),
            (vec!["a".to_owned(), "b".to_owned()], Duration::ZERO)
        );
    }
    // A slow one is not waited for.
    let fake = Fake::new(&[("a", Act::Silent), ("b", Act::Answer(200, ONE))]);
    let started = Instant::now();
    assert!(ask(&server(fake)).await.is_ok());
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    // And where the slow one is faster after all, its answer counts.
    let fake = Fake::new(&[("a", Act::AnswerAfter(Duration::from_secs(3), ONE)), ("b", Act::Silent)]);
    let started = Instant::now();
    assert!(ask(&server(fake)).await.is_ok());
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    // A wrong query is wrong everywhere.
    let fake = Fake::new(&[
        (
            "a",
            Act::Answer(400, r#"{"status":"error","errorType":"bad_data","error":"x"}"#),
        ),
        ("b", Act::Answer(200, ONE)),
    ]);
    assert_eq!(
        ask(&server(fake.clone())).await.expect_err("rejected").code(),
        "QueryRejected"
    );
    assert_eq!(fake.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_server_is_left_alone_and_tried_again() {
    let fake = Fake::new(&[("a", Act::Refuse)]);
    let server = server(fake.clone());
    for _ in 0..5 {
        assert_eq!(ask(&server).await.expect_err("refused").code(), "SourceUnreachable");
    }
    assert_eq!(fake.asked().len(), 5);
    assert_eq!(
        ask(&server).await.expect_err("open"),
        SourceError::CircuitOpen {
            retry_in: Duration::from_secs(1)
        }
    );
    assert_eq!(fake.asked().len(), 0);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&server).await.expect_err("refused").code(), "SourceUnreachable");
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_their_turn_until_their_deadline() {
    let fake = Fake::new(&[("a", Act::AnswerAfter(Duration::from_secs(6), ONE))]);
    let settings = ServerSettings {
        urls: vec!["http://a".into()],
        requests_max: 1,
        ..ServerSettings::default()
    };
    let server = Server::with_transport(settings, fake.clone()).expect("valid settings");
    let (first, second) = tokio::join!(ask(&server), ask(&server));
    assert!(first.is_ok());
    assert_eq!(second, Err(SourceError::Timeout));
}

#[tokio::test]
async fn the_local_store_says_how_old_its_samples_are() {
    let store = Store::new(Limits::default());
    for (pod, time_ms) in [("a", 50_000), ("b", 20_000)] {
        let mut head = store.head_mut();
        let (series, _) = head
            .series(&Labels::from_pairs([("__name__", "load"), ("pod", pod)]))
            .expect("room");
        head.append(series, time_ms, 3.0).expect("in order");
    }
    let local = Local::new(store);
    let deadline = || Instant::now() + DEADLINE;
    let sum = observe(&local, "sum(load)", 60_000, deadline())
        .await
        .expect("an answer");
    assert_eq!(
        sum.freshness,
        Some(Freshness {
            series: 2,
            newest_ms: 50_000,
            oldest_ms: 20_000
        })
    );
    assert_eq!(sum.age_ms(0), Some(40_000), "a sum is as old as its oldest part");
    let plain = observe(&local, "load{pod=\"a\"}", 60_000, deadline())
        .await
        .expect("an answer");
    assert_eq!(plain.age_ms(0), Some(10_000));
    let nothing = observe(&local, "sum(other)", 60_000, deadline())
        .await
        .expect("an answer");
    assert_eq!((nothing.answer.found, nothing.freshness), (Found::Nothing, None));
    let names = local
        .series(&["load".to_owned()], 0, 60_000, deadline())
        .await
        .expect("an answer");
    assert_eq!(names.len(), 2);
    assert_eq!(
        observe(&local, "sum(", 0, deadline())
            .await
            .expect_err("malformed")
            .code(),
        "QueryRejected"
    );
}
