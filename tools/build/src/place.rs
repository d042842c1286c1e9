//! Where things are, and how other programs are run. Every program is one that the lock files pin.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, fs::File};

use anyhow::{Context, Result, bail, ensure};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The folders a build reads and writes.
pub(crate) struct Place {
    /// The repository.
    pub(crate) root: PathBuf,
    /// What is built, ready to ship.
    pub(crate) dist: PathBuf,
    /// Intermediate files, made again at will.
    pub(crate) stage: PathBuf,
    target: PathBuf,
}

impl Place {
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets it at run time too, which is right even when two checkouts share a target folder.
        let own = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own
            .join("../..")
            .canonicalize()
            .context("the repository that this tool was compiled in is gone")?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
        let dist = root.join("dist");
        Ok(Self { stage: dist.join(".stage"), dist, target, root })
    }

    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.dist.join(".lock");
        fs::create_dir_all(&self.dist)?;
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        file.lock().context("cannot wait for the other build")?;
        Ok(file)
    }

    /// Compiles a part of a crate to WebAssembly and returns the file, of this name. Cargo decides what is out
    /// of date; it goes by names, so no two parts may have the same.
    pub(crate) fn compile(&self, package: &str, part: &[&str], name: &str) -> Result<PathBuf> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(&self.root)
            .args(["build", "--release", "--locked", "--target", WASM_TARGET])
            .args(["-p", package])
            .args(part)
            // Panic messages carry source paths; this machine's folders are nobody's business.
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", self.remapped_paths()?)
            .env("CARGO_TARGET_DIR", &self.target);
        run(&mut command)?;
        Ok(self.target.join(WASM_TARGET).join("release").join(format!("{name}.wasm")))
    }

    fn remapped_paths(&self) -> Result<String> {
        let home = match env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
        };
        let registry = home.join("registry/src");
        let mut flags = format!("--remap-path-prefix={}=.", self.root.display());
        // One folder a registry, named after its host.
        let mut mirrors: Vec<PathBuf> = fs::read_dir(&registry)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        mirrors.sort();
        for mirror in mirrors {
            write!(flags, " --remap-path-prefix={}=crates", mirror.display())?;
        }
        Ok(flags)
    }

    pub(crate) fn esbuild<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        // The package's own start script only finds this file, and buries errors under a stack trace.
        let system = match env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let processor = match env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        // tsconfig.json is for checking; it must not change what is built.
        let all = [OsString::from("--tsconfig-raw={}"), OsString::from("--log-level=warning")]
            .into_iter()
            .chain(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.npm_program(&format!("@esbuild/{system}-{processor}/bin/esbuild"), all)
    }

    pub(crate) fn wasm_opt<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        self.npm_program("binaryen/bin/wasm-opt", args)
    }

    fn npm_program<S: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = S>) -> Result<()> {
        let program = self.root.join("node_modules").join(name);
        ensure!(program.exists(), "{name} is missing: run `npm ci` first");
        run(Command::new(program).current_dir(&self.root).args(args))
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Makes a folder with nothing in it.
pub(crate) fn empty_folder(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}

/// All files below a folder, sorted; none when it is not there.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
