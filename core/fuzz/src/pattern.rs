//! A page pattern, and behind the first line a path: it fits where trying every place of every star says so.

use msci_core::page::Pattern;

fn fits(pattern: &[u8], path: &[u8]) -> bool {
    // Which beginnings of the path the pattern so far fits.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for byte in pattern {
        let before = reached.clone();
        for at in 0..=path.len() {
            reached[at] = match (byte, at.checked_sub(1)) {
                (b'*', None) => before[at],
                (b'*', Some(last)) => before[at] || reached[last],
                (_, None) => false,
                (byte, Some(last)) => before[last] && path[last] == *byte,
            };
        }
    }
    reached[path.len()]
}

/// The linear answer is the exhaustive one.
pub(crate) fn everything(text: &str) {
    let (text, path) = text.split_once('\n').unwrap_or((text, "/"));
    let Ok(pattern) = Pattern::parse(text) else { return };
    let path = path.get(..256).unwrap_or(path);
    let found = pattern.matches(path);
    // Others are encoded first, as a browser writes them.
    if text.bytes().all(|byte| byte.is_ascii() && !b" \"<>`".contains(&byte)) {
        assert_eq!(found, fits(text.as_bytes(), path.as_bytes()), "{text} {path}");
    }
}
