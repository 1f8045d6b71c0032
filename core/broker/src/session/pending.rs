//! Messages that wait: for the client to come back, for its window, or for room in its outbox.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_mqtt::QoS;

use super::settings::QueueFull;
use crate::delivery::Delivery;
use crate::message::Message;
use crate::offer::Kept;

/// One waiting message.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) message: Arc<Message>,
    pub(crate) delivery: Delivery,
    /// Where the store has it, if it must survive.
    pub(crate) kept: Option<Kept>,
    /// It may have been sent before the broker ended: goes out with DUP.
    pub(crate) dup: bool,
}

impl Waiting {
    pub(crate) const fn new(message: Arc<Message>, delivery: Delivery) -> Self {
        Self {
            message,
            delivery,
            kept: None,
            dup: false,
        }
    }
}

/// A first-in first-out queue with a bound on count and bytes.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<Waiting>,
    bytes: usize,
    n_qos0: usize,
}

/// How an attempt to queue ended.
#[derive(Debug)]
pub(super) enum Push {
    /// It waits.
    Queued,
    /// It waits, and these oldest ones were dropped for it.
    Overwrote(Vec<Waiting>),
    /// The queue is full.
    Full,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether QoS 0 messages wait, so that a new one must not overtake them.
    pub(super) const fn has_qos0(&self) -> bool {
        self.n_qos0 > 0
    }

    /// Bytes of the messages.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues within the limits, by the rule for a full queue, and for the whole broker's limit gives up `owed` bytes.
    pub(super) fn push(
        &mut self,
        waiting: Waiting,
        maximum: usize,
        maximum_bytes: usize,
        owed: usize,
        rule: QueueFull,
    ) -> Push {
        let size = waiting.message.size();
        if owed > 0 && self.bytes < size {
            return Push::Full;
        }
        let enough = self.bytes - owed.min(self.bytes);
        let mut overwritten = Vec::new();
        while self.queue.len() >= maximum
            || self.bytes + size > maximum_bytes
            || (owed > 0 && self.bytes > enough)
        {
            if rule != QueueFull::DropOldest || size > maximum_bytes {
                return Push::Full;
            }
            match self.pop() {
                Some(oldest) => overwritten.push(oldest),
                None => return Push::Full,
            }
        }
        self.bytes += size;
        self.n_qos0 += usize::from(waiting.delivery.qos == QoS::AtMostOnce);
        self.queue.push_back(waiting);
        if overwritten.is_empty() {
            Push::Queued
        } else {
            Push::Overwrote(overwritten)
        }
    }

    pub(super) fn front(&self) -> Option<&Waiting> {
        self.queue.front()
    }

    /// The newest, to note where the store has it.
    pub(super) fn back_mut(&mut self) -> Option<&mut Waiting> {
        self.queue.back_mut()
    }

    /// All of them, to note where the store has them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.queue.iter_mut()
    }

    /// Puts stored messages before all others, whatever the limits are now.
    pub(super) fn restore(&mut self, stored: Vec<Waiting>) {
        let since = std::mem::replace(&mut self.queue, stored.into());
        self.bytes += self
            .queue
            .iter()
            .map(|waiting| waiting.message.size())
            .sum::<usize>();
        self.queue.extend(since);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.queue.pop_front()?;
        self.forget(&waiting);
        Some(waiting)
    }

    /// Takes out the oldest QoS 0 message: it may pass those that wait for the window.
    pub(super) fn pop_qos0(&mut self) -> Option<Waiting> {
        if self.n_qos0 == 0 {
            return None;
        }
        let at = self
            .queue
            .iter()
            .position(|waiting| waiting.delivery.qos == QoS::AtMostOnce)?;
        let waiting = self.queue.remove(at)?;
        self.forget(&waiting);
        Some(waiting)
    }

    fn forget(&mut self, waiting: &Waiting) {
        self.bytes -= waiting.message.size();
        self.n_qos0 -= usize::from(waiting.delivery.qos == QoS::AtMostOnce);
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }
}
