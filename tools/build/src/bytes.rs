//! Digests and compressed sizes of what ships.

use std::io::Write as _;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brotli::enc::BrotliEncoderParams;
use sha2::{Digest as _, Sha256, Sha384};

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `name.<8 hex digits of the contents>.ending`: a new content is a new name, so caches may keep it for ever.
pub(crate) fn hashed_name(stem: &str, ending: &str, contents: &[u8]) -> String {
    let mut digest = hex(&Sha256::digest(contents));
    digest.truncate(8);
    format!("{stem}.{digest}.{ending}")
}

/// A subresource integrity value.
pub(crate) fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", STANDARD.encode(Sha384::digest(bytes)))
}

pub(crate) fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let params =
        BrotliEncoderParams { quality: 11, size_hint: bytes.len(), ..BrotliEncoderParams::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params).context("brotli")?;
    Ok(out)
}

pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish().context("gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_the_contents_and_with_nothing_else() {
        assert_eq!(hashed_name("sdk", "js", b"abc"), "sdk.ba7816bf.js", "the well-known SHA-256 of abc");
        assert_ne!(hashed_name("sdk", "js", b"abc"), hashed_name("sdk", "js", b"abd"));
    }

    #[test]
    fn integrity_is_what_browsers_compute() {
        assert_eq!(
            integrity(b"alert('Hello, world.');"),
            "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO",
            "the example of the specification"
        );
    }

    #[test]
    fn compressing_twice_gives_the_same_bytes() -> Result<()> {
        let text = b"the same bytes, the same bytes".repeat(20);
        assert_eq!(brotli(&text)?, brotli(&text)?);
        assert_eq!(gzip(&text)?, gzip(&text)?);
        assert!(gzip(&text)?.len() < text.len());
        Ok(())
    }
}
