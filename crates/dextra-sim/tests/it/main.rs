//! Integration tests of `dextra-sim`, one binary.

mod batch;
mod fixtures;
mod hands;
mod joints;
mod scene;
mod world;
