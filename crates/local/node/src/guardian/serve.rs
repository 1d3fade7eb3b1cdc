//! The guardian's own loop: start what is asked, report what ended, kill all when the owner is gone.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::keeper;
use super::protocol::{Event, Request, SetUp, SetUpFailure, encode};
use super::sweep::kill_below;
use crate::sys::frames;
use crate::sys::process::{self, Ended, Fork, Pid, Wait, Waited};

/// Runs the guardian on the control socket that it got as standard input; does not return.
pub fn run() -> ! {
    let code = match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("flyball guardian: {error}");
            1
        }
    };
    kill_below(process::own_pid());
    process::exit_now(code)
}

struct State {
    control: UnixStream,
    /// The containers that live, by the process id of their keeper.
    keepers: HashMap<Pid, u64>,
}

fn serve() -> std::io::Result<()> {
    process::set_name(c"flyball-guard");
    process::ignore_terminal_signals();
    process::become_subreaper()?;
    let (mut child_events, child_pipe) = std::io::pipe()?;
    // Leaked on purpose: the signal handler writes to it until the end of the process.
    process::notify_on_child(Box::leak(Box::new(child_pipe)))?;
    let control = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut state = State {
        control,
        keepers: HashMap::new(),
    };

    loop {
        let [request, child] = process::poll([state.control.as_fd(), child_events.as_fd()], -1)?;
        if child.readable {
            // One wake-up may stand for many children; the content of the pipe means nothing.
            let _ = child_events.read(&mut [0; 64])?;
            state.reap()?;
        }
        if request.readable || request.closed {
            match frames::receive(&state.control)? {
                Some(frame) => state.handle(frame)?,
                None => return Ok(()),
            }
        }
    }
}

impl State {
    fn handle(&mut self, frame: frames::Frame) -> std::io::Result<()> {
        let Request::Start { id, spec } = serde_json::from_slice(&frame.payload)?;
        let Ok::<[OwnedFd; 4], _>(descriptors) = frame.descriptors.try_into() else {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "a start needs four descriptors",
            ));
        };
        let [stdin, stdout, stderr, set_up] = descriptors;
        let set_up = UnixStream::from(set_up);
        // Asked before the fork: afterwards a dead guardian's child would take its heir for its parent.
        let guardian = process::own_pid();
        match process::fork() {
            Ok(Fork::Parent(pid)) => {
                self.keepers.insert(pid, id);
            }
            Ok(Fork::Child) => {
                // The keeper must not hold the control socket: its end is how `up` sees the guardian's death.
                let null = OwnedFd::from(std::fs::File::open("/dev/null")?);
                process::install(null.as_fd(), 0)?;
                drop((null, std::mem::replace(&mut self.control, set_up.try_clone()?)));
                keeper::run(guardian, &spec, [stdin, stdout, stderr], &set_up)
            }
            Err(error) => {
                let failure = SetUp::Failed(SetUpFailure::new("fork", &error));
                let _ = frames::send(&set_up, &encode(&failure), &[]);
                self.report(id, 128)?;
            }
        }
        Ok(())
    }

    fn reap(&mut self) -> std::io::Result<()> {
        while let Waited::Ended(pid, ended) = process::wait(-1, Wait::Polling)? {
            let Some(id) = self.keepers.remove(&pid) else {
                continue;
            };
            if matches!(ended, Ended::Signalled(_)) {
                self.kill_orphans();
            }
            self.report(id, ended.code())?;
        }
        Ok(())
    }

    /// Somebody killed a keeper: what it kept has become our own child without being a keeper.
    fn kill_orphans(&self) {
        let own = process::own_pid();
        for child in crate::procfs::entries() {
            if child.parent == own && !self.keepers.contains_key(&child.pid) {
                kill_below(child.pid);
                let _ = process::kill(child.pid, libc::SIGKILL);
            }
        }
    }

    fn report(&self, id: u64, code: i32) -> std::io::Result<()> {
        frames::send(&self.control, &encode(&Event::Ended { id, code }), &[])
    }
}
