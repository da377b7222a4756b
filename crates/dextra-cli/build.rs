//! Lets `target/release/dextra` find the MuJoCo library when it is started directly.
fn main() {
    if let Ok(dir) = std::env::var("DEP_MUJOCO_DYLIB_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
