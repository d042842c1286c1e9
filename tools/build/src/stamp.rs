//! Skips a step whose inputs are those of its last success. A stamp is written after the step, so a build
//! that was interrupted repeats it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::bytes::hex;
use crate::place::{Place, read, write};

/// What a step depends on.
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// The programs and this tool itself are inputs of every step.
    pub(crate) fn new(place: &Place) -> Result<Self> {
        let mut inputs = Self(Sha256::new());
        inputs.file(&place.root.join("package-lock.json"))?;
        // This tool: its size and time instead of its bytes, which take longer to hash than most steps.
        let own = env::current_exe().and_then(|path| path.metadata());
        let own = own.context("cannot look at this program")?;
        inputs.part(format!("{} {:?}", own.len(), own.modified()?).as_bytes());
        Ok(inputs)
    }

    pub(crate) fn file(&mut self, path: &Path) -> Result<()> {
        self.part(path.as_os_str().as_encoded_bytes());
        self.part(&read(path)?);
        Ok(())
    }

    pub(crate) fn files(&mut self, paths: &[PathBuf]) -> Result<()> {
        paths.iter().try_for_each(|path| self.file(path))
    }

    /// Lengths keep `ab` + `c` apart from `a` + `bc`.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn digest(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Runs `work` unless `inputs` are unchanged and `outputs` are all there.
pub(crate) fn step(
    place: &Place,
    name: &str,
    inputs: Inputs,
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = place.dist.join(".stamps").join(name);
    let digest = inputs.digest();
    let unchanged = std::fs::read_to_string(&stamp).is_ok_and(|old| old == digest);
    if unchanged && outputs.iter().all(|path| path.exists()) {
        return Ok(());
    }
    eprintln!("build: {name}");
    work().with_context(|| format!("step {name}"))?;
    write(&stamp, digest)
}
