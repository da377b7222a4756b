//! dextra-motion

pub mod synth;
