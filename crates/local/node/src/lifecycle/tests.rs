//! Lives of Pods in virtual time, as text: what happens and what follows.
//!
//! Events come at a second; time passes between them by itself, and every action that a deadline causes on the way
//! must be expected too.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::*;

struct Life {
    machine: PodMachine,
    now: Moment,
    log: Vec<String>,
    attempts: BTreeMap<usize, u32>,
}

impl Life {
    fn new(spec: serde_json::Value) -> Self {
        let pod: Pod = serde_json::from_value(json!({"spec": spec})).unwrap();
        let now = Moment::UNIX_EPOCH;
        let machine = PodMachine::new(PodPlan::from_pod(&pod), BackOffSettings::default(), now);
        let mut life = Life {
            machine,
            now,
            log: Vec::new(),
            attempts: BTreeMap::new(),
        };
        life.send(Event::Tick);
        life
    }

    fn send(&mut self, event: Event) {
        for action in self.machine.on_event(event, self.now) {
            let seconds = self.now.as_second();
            let name = |index: usize| self.machine.plan.containers[index].name.clone();
            let text = match action {
                Action::Start { container, attempt } => {
                    self.attempts.insert(container, attempt);
                    format!("start {}", name(container))
                }
                Action::Signal {
                    container,
                    signal: Signal::Terminate,
                } => format!("term {}", name(container)),
                Action::Signal {
                    container,
                    signal: Signal::Kill,
                } => format!("kill {}", name(container)),
                Action::Probe { container, kind, .. } => format!("{} {}", kind.title().to_lowercase(), name(container)),
                Action::Hook { container, hook, .. } => format!("{hook:?} {}", name(container)),
                Action::Finished => "finished".to_owned(),
                // Words for people have tests of their own.
                Action::Record { .. } => continue,
            };
            self.log.push(format!("{seconds}: {text}"));
        }
    }

    /// Lets time pass to `seconds`, with every deadline on the way.
    fn pass_to(&mut self, seconds: i64) {
        let end = Moment::from_second(seconds).unwrap();
        while let Some(deadline) = self.machine.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.send(Event::Tick);
        }
        self.now = end;
    }

    fn at(&mut self, seconds: i64, event: impl FnOnce(&Self) -> Event) -> &mut Self {
        self.pass_to(seconds);
        let event = event(self);
        self.send(event);
        self
    }

    fn started(&mut self, seconds: i64, container: usize) -> &mut Self {
        self.at(seconds, |life| Event::Started {
            container,
            attempt: life.attempts[&container],
            id: "id".into(),
        })
    }

    fn ended(&mut self, seconds: i64, container: usize, code: i32) -> &mut Self {
        self.at(seconds, |life| Event::Ended {
            container,
            attempt: life.attempts[&container],
            code,
            reason: None,
        })
    }

    fn probed(&mut self, seconds: i64, container: usize, kind: ProbeKind, good: bool) -> &mut Self {
        let result = if good {
            ProbeResult::Success
        } else {
            ProbeResult::Failure("no".into())
        };
        self.at(seconds, |life| Event::Probed {
            container,
            attempt: life.attempts[&container],
            kind,
            result,
        })
    }

    #[track_caller]
    fn expect(&mut self, actions: &[&str]) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.log), actions);
        self
    }

    #[track_caller]
    fn expect_status(&mut self, phase: &str, ready: bool) -> &mut Self {
        let status = self.machine.status(&Addresses::default(), None);
        let condition = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "Ready")
            .unwrap();
        assert_eq!(
            (status.phase.as_deref(), condition.status == "True"),
            (Some(phase), ready)
        );
        self
    }

    fn state(&self, container: usize) -> String {
        let status = self.machine.status(&Addresses::default(), None);
        let all: Vec<_> = status
            .init_container_statuses
            .into_iter()
            .flatten()
            .chain(status.container_statuses.into_iter().flatten())
            .collect();
        let state = all[container].state.clone().unwrap();
        let restarts = all[container].restart_count;
        if let Some(waiting) = state.waiting {
            return format!("{} {restarts}", waiting.reason.unwrap());
        }
        match state.terminated {
            Some(ended) => format!("{} {} {restarts}", ended.reason.unwrap(), ended.exit_code),
            None => format!("running {restarts}"),
        }
    }
}

fn main_container(extra: serde_json::Value) -> serde_json::Value {
    let mut container = json!({"name": "main", "image": "x"});
    container
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    container
}

#[test]
fn a_crash_loop_backs_off_and_says_so() {
    let mut life = Life::new(json!({"containers": [main_container(json!({}))]}));
    life.expect(&["0: start main"])
        .started(0, 0)
        .expect_status("Running", true);
    life.ended(1, 0, 1)
        .expect(&["1: start main"])
        .started(1, 0)
        .ended(2, 0, 1)
        .expect(&[]);
    assert_eq!(life.state(0), "CrashLoopBackOff 1");
    life.expect_status("Running", false).pass_to(12);
    life.expect(&["12: start main"]).started(12, 0);
    assert_eq!(life.state(0), "running 2");
    // Ten good minutes, and the next end is answered at once again.
    life.ended(12 + 601, 0, 1).expect(&["613: start main"]);
}

#[test]
fn restart_policies_decide_phase_and_restarts() {
    let check = |policy: &str, code: i32, actions: &[&str], phase: &str, state: &str| {
        let mut life = Life::new(json!({"restartPolicy": policy, "containers": [main_container(json!({}))]}));
        life.started(0, 0)
            .ended(5, 0, code)
            .expect(actions)
            .expect_status(phase, false);
        assert_eq!(life.state(0), state, "{policy} {code}");
    };
    check("Never", 0, &["0: start main"], "Succeeded", "Completed 0 0");
    check("Never", 2, &["0: start main"], "Failed", "Error 2 0");
    check("OnFailure", 0, &["0: start main"], "Succeeded", "Completed 0 0");
    check(
        "OnFailure",
        2,
        &["0: start main", "5: start main"],
        "Running",
        "ContainerCreating 1",
    );
    check(
        "Always",
        0,
        &["0: start main", "5: start main"],
        "Running",
        "ContainerCreating 1",
    );
}

#[test]
fn init_containers_run_in_order_and_sidecars_when_they_have_started() {
    let mut life = Life::new(json!({
        "initContainers": [
            {"name": "init", "image": "x"},
            {"name": "sidecar", "image": "x", "restartPolicy": "Always",
             "startupProbe": {"tcpSocket": {"port": 1}, "periodSeconds": 1}},
            {"name": "late", "image": "x"}
        ],
        "containers": [main_container(json!({}))]
    }));
    life.expect(&["0: start init"]).started(0, 0).ended(1, 0, 1);
    life.expect(&["1: start init"]).expect_status("Pending", false);
    life.started(1, 0).ended(2, 0, 0).expect(&["2: start sidecar"]);
    life.started(2, 1)
        .expect(&["2: startup sidecar"])
        .probed(2, 1, ProbeKind::Startup, true)
        .expect(&["2: start late"]);
    life.started(3, 2)
        .ended(4, 2, 0)
        .expect(&["4: start main"])
        .started(5, 3)
        .expect_status("Running", true);
    // Stop: the main container first, the sidecar when that is gone.
    life.at(10, |_| Event::Stop {
        grace: Duration::from_secs(30),
    })
    .expect(&["10: term main"]);
    life.ended(11, 3, 0)
        .expect(&["11: term sidecar"])
        .ended(12, 1, 143)
        .expect(&["12: finished"]);
}

#[test]
fn an_init_container_that_may_not_run_again_fails_the_pod() {
    let mut life = Life::new(json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "init", "image": "x"}],
        "containers": [main_container(json!({}))]
    }));
    life.started(0, 0)
        .ended(1, 0, 1)
        .expect(&["0: start init"])
        .expect_status("Failed", false);
}

#[test]
fn liveness_waits_for_startup_and_kills_after_its_threshold() {
    let probe = |extra: serde_json::Value| {
        let mut probe = json!({"tcpSocket": {"port": 1}});
        probe
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        probe
    };
    let mut life = Life::new(json!({
        "terminationGracePeriodSeconds": 7,
        "containers": [main_container(json!({
            "startupProbe": probe(json!({"periodSeconds": 2, "failureThreshold": 5})),
            "livenessProbe": probe(json!({"periodSeconds": 10, "failureThreshold": 2})),
            "readinessProbe": probe(json!({"periodSeconds": 3, "initialDelaySeconds": 1}))
        }))]
    }));
    life.started(0, 0)
        .expect(&["0: start main", "0: startup main"])
        .probed(0, 0, ProbeKind::Startup, false);
    life.pass_to(2);
    life.expect(&["2: startup main"]).probed(2, 0, ProbeKind::Startup, true);
    life.expect(&["2: readiness main", "2: liveness main"])
        .expect_status("Running", false);
    life.probed(3, 0, ProbeKind::Readiness, true)
        .expect_status("Running", true);
    life.probed(3, 0, ProbeKind::Liveness, false);
    life.pass_to(9);
    life.expect(&["4: readiness main"])
        .probed(9, 0, ProbeKind::Readiness, false);
    // One failure of three leaves it ready.
    life.expect(&["9: readiness main"]).expect_status("Running", true);
    life.pass_to(10);
    life.expect(&["10: liveness main"])
        .probed(11, 0, ProbeKind::Liveness, false)
        .expect(&["11: term main"]);
    // No liveness while it ends; readiness goes on; SIGKILL after the grace period.
    life.probed(12, 0, ProbeKind::Readiness, true).pass_to(17);
    life.expect(&["12: readiness main"]).pass_to(18);
    life.expect(&["18: kill main"])
        .ended(18, 0, 137)
        .expect(&["18: start main"]);
}

#[test]
fn a_stop_runs_the_hook_then_asks_then_kills() {
    let hooks = json!({"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}});
    let stopped = |grace: u64| {
        let mut life = Life::new(json!({"containers": [main_container(hooks.clone())]}));
        life.started(0, 0).at(10, |_| Event::Stop {
            grace: Duration::from_secs(grace),
        });
        life.log.remove(0);
        life
    };
    let hook_done = |life: &Life| Event::Hooked {
        container: 0,
        attempt: life.attempts[&0],
        hook: HookKind::PreStop,
        failure: None,
    };
    let mut life = stopped(30);
    life.expect(&["10: PreStop main"])
        .at(15, hook_done)
        .expect(&["15: term main"])
        .pass_to(40);
    life.expect(&["40: kill main"])
        .ended(40, 0, 137)
        .expect(&["40: finished"]);

    // A hook that takes all of the grace period leaves two seconds for SIGTERM.
    let mut life = stopped(6);
    life.expect(&["10: PreStop main"])
        .at(15, hook_done)
        .expect(&["15: term main"])
        .pass_to(20);
    life.expect(&["17: kill main"]);

    // A hook that never comes back ends with the grace period.
    let mut life = stopped(6);
    life.expect(&["10: PreStop main"]).pass_to(20);
    life.expect(&["16: kill main"]);

    // Grace zero asks nobody, and a second stop can only shorten.
    let mut life = stopped(30);
    life.expect(&["10: PreStop main"])
        .at(11, |_| Event::Stop { grace: Duration::ZERO })
        .pass_to(11);
    life.expect(&["11: kill main"]);
}

#[test]
fn a_stop_during_start_ends_what_then_starts() {
    let mut life = Life::new(json!({"containers": [main_container(json!({}))]}));
    life.at(1, |_| Event::Stop {
        grace: Duration::from_secs(5),
    })
    .expect(&["0: start main"]);
    life.started(2, 0)
        .expect(&["2: term main"])
        .ended(3, 0, 143)
        .expect(&["3: finished"]);
}

#[test]
fn a_start_that_fails_is_tried_again_with_a_wait() {
    let mut life = Life::new(json!({"containers": [main_container(json!({}))]}));
    let failed = |life: &Life| Event::StartFailed {
        container: 0,
        attempt: life.attempts[&0],
        failure: StartFailure {
            reason: "CreateContainerConfigError".into(),
            message: "no".into(),
            exit_code: None,
        },
    };
    life.at(0, failed)
        .expect(&["0: start main"])
        .expect_status("Pending", false);
    assert_eq!(life.state(0), "CreateContainerConfigError 0");
    life.pass_to(1);
    life.expect(&["1: start main"]).at(1, failed).pass_to(20);
    life.expect(&["11: start main"]).started(20, 0);
    assert_eq!(life.state(0), "running 0");
}

#[test]
fn events_of_an_earlier_start_are_ignored() {
    let mut life = Life::new(json!({"containers": [main_container(json!({}))]}));
    life.started(0, 0)
        .ended(1, 0, 1)
        .started(1, 0)
        .expect(&["0: start main", "1: start main"]);
    life.at(2, |_| Event::Ended {
        container: 0,
        attempt: 1,
        code: 0,
        reason: None,
    })
    .expect(&[]);
    life.expect_status("Running", true);
}

#[test]
fn the_deadline_of_a_pod_ends_it_as_failed() {
    let mut life = Life::new(json!({"activeDeadlineSeconds": 60, "containers": [main_container(json!({}))]}));
    life.started(0, 0).pass_to(60);
    life.expect(&["0: start main", "60: term main"])
        .ended(61, 0, 0)
        .expect(&[])
        .expect_status("Failed", false);
    let status = life.machine.status(&Addresses::default(), None);
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn gates_of_others_hold_back_readiness() {
    let mut life = Life::new(json!({
        "readinessGates": [{"conditionType": "example.org/in-pool"}],
        "containers": [main_container(json!({}))]
    }));
    life.started(0, 0).expect_status("Running", false);
    life.at(1, |_| Event::Gates([("example.org/in-pool".to_owned(), true)].into()))
        .expect_status("Running", true);
}

#[test]
fn a_post_start_hook_that_fails_restarts_the_container() {
    let hooks = json!({"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}});
    let mut life = Life::new(json!({"containers": [main_container(hooks)]}));
    life.started(0, 0)
        .expect(&["0: start main", "0: PostStart main"])
        .expect_status("Running", false);
    life.at(1, |life| Event::Hooked {
        container: 0,
        attempt: life.attempts[&0],
        hook: HookKind::PostStart,
        failure: Some("exit 1".into()),
    });
    life.expect(&["1: term main"])
        .ended(2, 0, 143)
        .expect(&["2: start main"]);
}
