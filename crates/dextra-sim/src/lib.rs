//! MuJoCo behind a safe wall: hands, objects, scenes, worlds, batches and pictures.
//!
//! This is the only crate that calls MuJoCo and the only one with `unsafe` code.

pub mod batch;
pub mod hand;
pub mod object;
pub mod probe;
pub mod render;
pub mod scene;
pub mod world;
