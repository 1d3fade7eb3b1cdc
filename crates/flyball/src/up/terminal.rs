//! The live view on a terminal.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use crossterm::{cursor, event, execute, queue, style, terminal};
use tokio::sync::{mpsc, watch};

use super::logs::Line;
use super::view::{View, render};

/// How often the screen is drawn at most: calm to look at, and cheap.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// A terminal in drawing mode; dropping it restores the screen.
pub(crate) struct Screen;

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(Self)
    }

    /// Draws views as they change until the user asks to quit (`q`, Ctrl-C) or the views end.
    pub(crate) async fn show(&self, mut views: watch::Receiver<View>, mut logs: watch::Receiver<Vec<Line>>) {
        let mut keys = keys();
        let mut show_logs = false;
        let mut ticks = tokio::time::interval(DRAW_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let _ = draw(&views.borrow_and_update(), &logs.borrow_and_update(), show_logs);
            tokio::select! {
                key = keys.recv() => match key {
                    Some(Key::Quit) | None => return,
                    Some(Key::Logs) => show_logs = !show_logs,
                    Some(Key::Redraw) => {}
                },
                changed = views.changed() => if changed.is_err() { return },
                changed = logs.changed(), if show_logs => if changed.is_err() { show_logs = false },
            }
            ticks.tick().await;
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

enum Key {
    Quit,
    Logs,
    Redraw,
}

/// Keys come from a thread of their own, because reading a terminal blocks.
fn keys() -> mpsc::Receiver<Key> {
    let (key_tx, key_rx) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if asks_to_quit(key) => Key::Quit,
                Event::Key(key) if key.code == KeyCode::Char('l') => Key::Logs,
                Event::Resize(..) => Key::Redraw,
                _ => continue,
            };
            if key_tx.blocking_send(key).is_err() {
                return;
            }
        }
    });
    key_rx
}

fn asks_to_quit(key: KeyEvent) -> bool {
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    control_c || key.code == KeyCode::Char('q')
}

fn draw(view: &View, logs: &[Line], show_logs: bool) -> io::Result<()> {
    let (width, height) = terminal::size()?;
    let (width, height) = (usize::from(width), usize::from(height));
    let mut lines = match show_logs {
        false => render(view, width, height.saturating_sub(1)),
        true => {
            let surplus = logs.len().saturating_sub(height.saturating_sub(1));
            logs.iter()
                .skip(surplus)
                .map(|line| line.to_string().chars().take(width).collect())
                .collect()
        }
    };
    lines.resize(height.saturating_sub(1), String::new());
    lines.push(
        if show_logs {
            "l: back   q: stop"
        } else {
            "l: logs   q: stop everything"
        }
        .to_owned(),
    );
    let mut screen = io::stdout().lock();
    for (row, line) in lines.iter().enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX);
        queue!(
            screen,
            cursor::MoveTo(0, row),
            terminal::Clear(terminal::ClearType::CurrentLine)
        )?;
        let is_title = !line.starts_with(' ') && line.chars().all(|letter| letter.is_ascii_uppercase());
        match is_title {
            true => queue!(
                screen,
                style::SetAttribute(style::Attribute::Bold),
                style::Print(line),
                style::SetAttribute(style::Attribute::Reset)
            )?,
            false => queue!(screen, style::Print(line))?,
        }
    }
    screen.flush()
}
