//! The `Cookie` header and what stands in it. Whatever is not exactly what the Worker or the SDK would write counts
//! as absent.

/// The values of cookies, by their names. None where one is not there, or there twice: nobody knows which is the
/// visitor's own (fault F37).
pub fn values<'a, const N: usize>(header: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut found = names.map(|name| (name, None, 0));
    for (key, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
        let key = key.trim();
        for (_, last, times) in found.iter_mut().filter(|(name, ..)| *name == key) {
            *last = Some(value.trim());
            *times += 1;
        }
    }
    found.map(|(_, value, times)| value.filter(|_| times == 1))
}

/// Life and version of a visitor's last action: `<tag>.<version>`.
pub fn version(text: &str) -> Option<(&str, u64)> {
    let (tag, version) = text.split_once('.')?;
    Some((tag, version.parse().ok()?))
}

/// Two names of at most 64 bytes, and nothing that means anything in a page.
pub fn is_exposure(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    text.len() <= 129 && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f37_a_cookie_counts_where_it_stands_once() {
        assert_eq!(values("a=1; _msci = x ;b=2", ["_msci", "b", "c"]), [Some("x"), Some("2"), None]);
        for header in ["", "_msci", "_msci=1; _msci=2", "_msci=1;_msci=1", "x_msci=1", "a=_msci=1"] {
            assert_eq!(values(header, ["_msci"]), [None], "{header}");
        }
    }

    #[test]
    fn a_version_is_a_tag_and_a_number_and_an_exposure_is_plain() {
        assert_eq!(version("ab.7"), Some(("ab", 7)));
        for bad in ["", "ab", "ab.", "ab.-1", "ab.7.7", "ab.18446744073709551616"] {
            assert_eq!(version(bad), None, "{bad}");
        }
        assert!(is_exposure("hero:treated") && !is_exposure("hero:<b>") && !is_exposure(&"a".repeat(130)));
    }
}
