//! Small tasks that must be learned, and what must hold when training is interrupted or goes wrong.

mod checkpoints;
mod faults;
mod learning;
mod metrics;
mod resume;
mod tasks;
