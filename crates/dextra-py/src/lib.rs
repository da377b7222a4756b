//! The native half of the Python package `dextra`: files as arrays, verbs that can be interrupted, worlds to learn in.
//!
//! Arrays leave as `(bytes, dtype, shape)`; `python/dextra` makes NumPy arrays of them without a copy.

mod files;
mod work;
mod worlds;

use dextra::error::chain;
use pyo3::prelude::*;

pyo3::create_exception!(
    dextra,
    DextraError,
    pyo3::exceptions::PyException,
    "What went wrong, where, and what would help, in the words of the command."
);

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("DextraError", module.py().get_type::<DextraError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(files::load_clip, module)?)?;
    module.add_function(wrap_pyfunction!(files::load_archive, module)?)?;
    module.add_function(wrap_pyfunction!(files::clip_names, module)?)?;
    module.add_function(wrap_pyfunction!(work::retarget, module)?)?;
    module.add_function(wrap_pyfunction!(work::transfer, module)?)?;
    module.add_class::<worlds::Worlds>()
}

/// An error with its causes, joined as in the command's output, as a Python exception.
fn raised(error: &dyn std::error::Error) -> PyErr {
    DextraError::new_err(chain(error))
}
