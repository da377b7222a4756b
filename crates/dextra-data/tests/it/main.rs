//! Readers and writers against real recordings, against NumPy and MuJoCo in Python, and against
//! files made to break them.

mod clips;
mod datasets;
mod dexmanipnet;
mod episodes;
mod hostile;
mod hot3d;
mod imports;
mod mano;
mod model;
mod myohand;
mod numpy;
mod parts;
mod real;
mod recordings;
mod rollouts;
mod rrd;
mod support;
mod tcdm;
mod zarr;
