//! How long work tells what it is doing and learns that it should stop.

/// Receives progress; the command draws it, a library user may ignore it.
///
/// Calls come from any thread. They must not influence results: the same request gives the same
/// bits whatever the reporter does, except that [`Reporter::cancelled`] ends it early.
pub trait Reporter: Sync {
    /// A stage begins; `total` is its number of steps when that is known.
    fn stage(&self, name: &str, total: Option<u64>);
    /// `done` steps of the current stage are finished; `message` says what the last one showed.
    fn advance(&self, done: u64, message: &str);
    /// Something the user should know, such as a contradiction in the input; one sentence.
    fn note(&self, message: &str);
    /// Whether the work should save what it has and end with
    /// [`Error::Cancelled`](crate::error::Error::Cancelled). Asked often; must be cheap.
    fn cancelled(&self) -> bool {
        false
    }
}

/// A reporter that says nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn stage(&self, _name: &str, _total: Option<u64>) {}
    fn advance(&self, _done: u64, _message: &str) {}
    fn note(&self, _message: &str) {}
}
