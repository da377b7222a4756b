//! Integration tests of `dextra-sim`, one binary.

mod batch;
mod fixtures;
mod hands;
mod scene;
mod world;
