//! Linker settings of the WebAssembly module, which the target does not default to.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        // A page gets 128 KB of memory to start with instead of 1.1 MB, and addresses get shorter.
        println!("cargo:rustc-link-arg-cdylib=-zstack-size=65536");
    }
}
