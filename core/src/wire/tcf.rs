//! What a visitor agreed to by the IAB's Transparency & Consent Framework: the consent string, version 2, that a
//! consent platform keeps in a cookie of the site. Only what the core segment says of purposes is read; what is
//! not such a string says nothing.
//!
//! Format: IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List Formats", version 2.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longer strings than a cookie can hold are nobody's.
const LONGEST: usize = 4096;
/// Where the bits of consented purposes begin: behind version (6), created (36), updated (36), platform (12) and
/// its version (12), screen (6), language (12), vendor list (12), policy (6), two flags, special features (12).
const PURPOSES_AT: usize = 152;
/// Bits of purposes, the first being purpose 1.
const PURPOSES: usize = 24;
/// Characters, of six bits each, that hold all this; each string goes on behind them.
const HEAD: usize = 32;
const _: () = assert!(HEAD * 6 >= PURPOSES_AT + PURPOSES);

/// What a consent string allows, in our purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcf {
    /// `storage`: purpose 1, information on the device.
    pub storage: bool,
    /// `analytics`: purpose 8, how content performs.
    pub analytics: bool,
    /// `personalization`: purposes 5 and 6, profiles for personal content and their use.
    pub personalization: bool,
}

impl Tcf {
    /// Reads a consent string.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        // Other segments (disclosed vendors, publisher's restrictions) follow behind dots.
        let (head, rest) = text.split('.').next()?.split_at_checked(HEAD)?;
        let bytes = URL_SAFE_NO_PAD.decode(head).ok()?;
        let written = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if bytes.first()? >> 2 != 2 || !rest.bytes().all(written) {
            return None;
        }
        let purpose = |number: usize| {
            let bit = PURPOSES_AT + number - 1;
            bytes.get(bit >> 3).is_some_and(|byte| byte & (0x80 >> (bit & 7)) != 0)
        };
        Some(Self { storage: purpose(1), analytics: purpose(8), personalization: purpose(5) && purpose(6) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of these purposes, as bits are written.
    fn string(version: u8, purposes: &[usize]) -> String {
        let mut bytes = [0_u8; 30];
        bytes[0] = version << 2;
        for purpose in purposes {
            let bit = PURPOSES_AT + purpose - 1;
            bytes[bit >> 3] |= 0x80 >> (bit & 7);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn purposes_are_ours_by_their_numbers() {
        let of = |purposes: &[usize]| {
            let Tcf { storage, analytics, personalization } = Tcf::read(&string(2, purposes)).unwrap();
            [storage, analytics, personalization]
        };
        assert_eq!(of(&[]), [false, false, false]);
        assert_eq!(of(&[1]), [true, false, false]);
        assert_eq!(of(&[1, 8]), [true, true, false]);
        assert_eq!(of(&[5]), [false, false, false], "a profile that may not be used");
        assert_eq!(of(&[1, 5, 6]), [true, false, true]);
        assert_eq!(of(&(1..=24).collect::<Vec<_>>()), [true, true, true]);
    }

    #[test]
    fn what_is_no_such_string_says_nothing() {
        let whole = string(2, &[1, 5, 6, 8]);
        assert!(Tcf::read(&format!("{whole}.YAAAAAAAAAAA")).is_some(), "other segments may follow");
        let short = &whole[..HEAD - 1];
        let long = format!("{whole}{}", "A".repeat(LONGEST));
        let other = string(1, &[1]);
        let broken = format!("{}!{}", &whole[..9], &whole[10..]);
        for text in
            ["", ".", "C", "CP", short, &long, &other, &broken, &format!("{whole}!"), &format!("é{whole}")]
        {
            assert_eq!(Tcf::read(text), None, "{text:?}");
        }
    }
}
