//! A consent string of the Transparency & Consent Framework. Purposes are where the format has them, and nothing behind
//! its head says otherwise.

use msci_core::wire::tcf::Tcf;

/// Six bits a character, most significant first.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn bit(text: &[u8], at: usize) -> bool {
    let value = ALPHABET.iter().position(|letter| *letter == text[at / 6]).unwrap();
    value >> (5 - at % 6) & 1 == 1
}

pub(crate) fn everything(text: &str) {
    let Some(tcf) = Tcf::read(text) else { return };
    let bytes = text.as_bytes();
    assert!(bytes[0] == b'C' && text.len() <= 4096, "version 2");
    let purpose = |number: usize| bit(bytes, 151 + number);
    assert_eq!(tcf.storage, purpose(1));
    assert_eq!(tcf.analytics, purpose(8));
    assert_eq!(tcf.personalization, purpose(5) && purpose(6));
    assert_eq!(Tcf::read(&text[..32]), Some(tcf));
}
