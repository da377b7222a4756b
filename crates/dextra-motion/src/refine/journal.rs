//! What a search has already measured, so that an interrupted one resumes where it was.
//!
//! A search is deterministic: the same inputs and seed ask the same questions in the same order. So
//! it suffices to remember the answers. After an interruption the search runs again from the start
//! and every remembered answer comes back at once instead of from physics.

/// A list of answers, appended in order.
pub trait Journal {
    /// Called once, before any question, with everything the answers depend on: answers to anything
    /// else must not be recalled.
    fn begin(&mut self, question: &[&[u8]]);
    /// The answer to question number `index`, when it is remembered.
    fn recall(&mut self, index: usize) -> Option<Vec<f64>>;
    /// Remembers the answer to question number `index`.
    fn remember(&mut self, index: usize, answer: &[f64]);
}

/// A journal that remembers nothing beyond this run.
#[derive(Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn begin(&mut self, _question: &[&[u8]]) {}

    fn recall(&mut self, _index: usize) -> Option<Vec<f64>> {
        None
    }

    fn remember(&mut self, _index: usize, _answer: &[f64]) {}
}

/// Progress of long work, and the wish to stop it.
pub trait Observer: Sync {
    /// Called after every batch of trials: physics steps so far and a short status.
    fn progress(&self, sim_steps: u64, status: &str);
    /// True when the work should stop at the next opportunity.
    fn cancelled(&self) -> bool;
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&self, _sim_steps: u64, _status: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}
