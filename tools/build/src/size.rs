//! What the SDK and the Workers weigh on the wire, against the limits that hold.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::bytes::{brotli, gzip};
use crate::place::{Place, files_below, read};
use crate::worker::SCRIPTS;

const SDK_LIMIT: usize = 20 * 1024;
/// What applies decisions: for pages that ask for it.
const APPLY_LIMIT: usize = 8 * 1024;
/// What listens to consent platforms: for sites that have one.
const CONSENT_LIMIT: usize = 2 * 1024;
/// Of each script.
const WORKER_LIMIT: usize = 400 * 1024;

pub(crate) fn report(place: &Place) -> Result<()> {
    let sdk = place.dist.join("sdk");
    let built = sdk.exists() && SCRIPTS.iter().all(|script| script.out(place).exists());
    ensure!(built, "not everything is built: run `npm run build` first");

    let mut files = vec![sdk.join("loader.js"), sdk.join("msci.js")];
    let (mut applying, mut consenting) = (vec![sdk.join("guard.js")], Vec::new());
    for path in files_below(&sdk.join("assets"))? {
        if path.extension().is_some_and(|end| end == "js" || end == "wasm") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match name.split('.').next() {
                Some("apply") => applying.push(path),
                Some("consent") => consenting.push(path),
                _ => files.push(path),
            }
        }
    }
    println!("{:<34}{:>10}{:>10}", "SDK", "bytes", "brotli");
    let browser = table(&files, brotli)?;
    println!("\n{:<34}{:>10}{:>10}", "where it applies decisions", "bytes", "brotli");
    let apply = table(&applying, brotli)?;
    println!("\n{:<34}{:>10}{:>10}", "where a consent platform is heard", "bytes", "brotli");
    let consent = table(&consenting, brotli)?;

    let mut over = Vec::new();
    if browser > SDK_LIMIT {
        over.push(format!("the SDK, {browser} of {SDK_LIMIT} bytes"));
    }
    if apply > APPLY_LIMIT {
        over.push(format!("what applies decisions, {apply} of {APPLY_LIMIT} bytes"));
    }
    if consent > CONSENT_LIMIT {
        over.push(format!("what listens to consent platforms, {consent} of {CONSENT_LIMIT} bytes"));
    }
    for script in &SCRIPTS {
        let out = script.out(place);
        println!("\n{:<34}{:>10}{:>10}", script.title(), "bytes", "gzip");
        let size = table(&[out.join("index.js"), out.join("index_bg.wasm")], gzip)?;
        let mut assets = 0;
        for path in files_below(&out.join("assets"))? {
            assets += gzip(&read(&path)?)?.len();
        }
        println!("{:<34}{:>10}{:>10}", "with the files it serves", "", size + assets);
        if size > WORKER_LIMIT {
            over.push(format!("the {}, {size} of {WORKER_LIMIT} bytes", script.title()));
        }
    }
    if !over.is_empty() {
        bail!("over the limit: {}", over.join("; "));
    }
    println!(
        "\nwithin the limits: SDK {SDK_LIMIT}, {APPLY_LIMIT} and {CONSENT_LIMIT} brotli, each Worker {WORKER_LIMIT} gzip"
    );
    Ok(())
}

/// Prints a line a file and the total; returns the compressed total.
fn table(files: &[PathBuf], compress: fn(&[u8]) -> Result<Vec<u8>>) -> Result<usize> {
    let (mut plain, mut packed) = (0, 0);
    for path in files {
        let bytes = read(path)?;
        let size = compress(&bytes)?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("  {name:<32}{:>10}{size:>10}", bytes.len());
        plain += bytes.len();
        packed += size;
    }
    println!("{:<34}{plain:>10}{packed:>10}", "total");
    Ok(packed)
}
