//! `export`: a finished result in the terms of something else, one module per format.

pub mod result;
pub mod robot;
