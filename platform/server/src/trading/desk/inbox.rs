//! What a desk is told, in the order in which it came: commands may be taken ahead of what comes after them.

use super::{Asked, Message};
use marque_engine::Command;
use std::{
    cell::Cell,
    collections::VecDeque,
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::Duration,
};

/// Commands that wait for their turn at most; further ones wait in the queue.
const WAITING_MAX: usize = 512;

/// The receiving end of a desk's queue. It outlives the sessions of the desk, and so does what was taken off and not yet
/// done.
pub(super) struct Inbox {
    queue: Receiver<Message>,
    /// The first that is no command, once the commands before it were taken.
    other: Cell<Option<Message>>,
}

impl Inbox {
    pub const fn new(queue: Receiver<Message>) -> Self {
        Self { queue, other: Cell::new(None) }
    }

    /// The next message, whatever it is.
    pub fn wait(&self, at_most: Duration) -> Result<Message, RecvTimeoutError> {
        self.other.take().map_or_else(|| self.queue.recv_timeout(at_most), Ok)
    }

    /// Takes the commands that have come, up to the next message that is none.
    pub fn hear(&self, waiting: &mut VecDeque<Asked>) {
        while !self.has_more_than_commands() && waiting.len() < WAITING_MAX {
            match self.queue.try_recv() {
                // Whoever presses the kill switch waits for nobody.
                Ok(Message::Command(command, answer)) if matches!(command.0, Command::Kill(_)) => {
                    waiting.push_front((command, answer));
                }
                Ok(Message::Command(command, answer)) => waiting.push_back((command, answer)),
                Ok(other) => self.other.set(Some(other)),
                Err(TryRecvError::Disconnected) => self.other.set(Some(Message::Stop)),
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    /// Whether something is next that is no command.
    pub fn has_more_than_commands(&self) -> bool {
        let other = self.other.take();
        let has = other.is_some();
        self.other.set(other);
        has
    }

    /// What is next that is no command.
    pub fn take_other(&self) -> Option<Message> {
        self.other.take()
    }
}
