//! dextra-motion
