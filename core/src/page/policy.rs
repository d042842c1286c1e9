//! What a page's Content Security Policy asks of a script.

/// The nonce that a script has to carry, by the policies of a page as its headers have them, a comma between each and the
/// next. All of them have to let the script pass: so it is one that all of them know who know any, or else the first.
pub fn script_nonce(policies: &str) -> Option<&str> {
    let asked: Vec<&str> =
        policies.split(',').filter_map(of_scripts).filter(|own| nonces(own).next().is_some()).collect();
    let known = |nonce: &&str| asked.iter().all(|own| nonces(own).any(|one| one == *nonce));
    let first = asked.first()?;
    nonces(first).find(known).or_else(|| nonces(first).next())
}

/// The sources of scripts in a policy; of directives of one name the first counts.
fn of_scripts(policy: &str) -> Option<&str> {
    ["script-src-elem", "script-src", "default-src"].into_iter().find_map(|wanted| {
        policy.split(';').map(str::trim_ascii).find_map(|directive| {
            let (name, sources) = directive.split_at_checked(wanted.len())?;
            let ends = sources.is_empty() || sources.starts_with(|c: char| c.is_ascii_whitespace());
            (ends && name.eq_ignore_ascii_case(wanted)).then_some(sources)
        })
    })
}

/// Browsers pass over what is no base64.
fn nonces(sources: &str) -> impl Iterator<Item = &str> {
    sources.split_ascii_whitespace().filter_map(|source| {
        let (keyword, rest) = source.split_at_checked("'nonce-".len())?;
        let nonce = rest.strip_suffix('\'')?;
        let base64 = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte));
        (base64 && !nonce.is_empty() && keyword.eq_ignore_ascii_case("'nonce-")).then_some(nonce)
    })
}

#[cfg(test)]
mod tests {
    use super::script_nonce;

    #[test]
    fn the_nonce_is_the_one_that_scripts_need() {
        for (policies, nonce) in [
            ("", None),
            ("script-src 'self'", None),
            ("script-src 'nonce-a'", Some("a")),
            ("style-src 'nonce-s'; script-src 'self' 'nonce-a'", Some("a")),
            ("style-src 'nonce-s'", None),
            ("default-src 'nonce-d'; style-src 'nonce-s'", Some("d")),
            ("default-src 'nonce-d'; script-src 'self'", None),
            ("script-src 'nonce-a'; script-src-elem 'nonce-e'", Some("e")),
            ("script-src-elem 'self'; script-src 'nonce-a'", None),
            ("script-src-attr 'nonce-t'; script-src 'nonce-a'", Some("a")),
            ("script-src 'nonce-a'; script-src 'nonce-b'", Some("a")),
            (" SCRIPT-SRC\t'NONCE-Qw+/-_=='", Some("Qw+/-_==")),
            ("script-src 'self', style-src 'nonce-s'; script-src 'nonce-b'", Some("b")),
            ("script-src 'nonce-a' 'nonce-b', script-src 'nonce-b'", Some("b")),
            ("script-src 'nonce-a', script-src 'nonce-b'", Some("a")),
            ("script-src 'nonce-' 'nonce-\"><b>' 'nonce-a", None),
            ("script-src", None),
            (";;,, ,;", None),
            ("script-srcé 'nonce-a'", None),
        ] {
            assert_eq!(script_nonce(policies), nonce, "{policies}");
        }
    }
}
