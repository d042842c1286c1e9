//! Sessions of the console: a cookie that says until when somebody is signed in and by which token, and what each
//! form has to say so that no other site's form counts. Both are MACs by what is known of that token, so a token
//! that is removed, or is another one, ends its sessions, and nothing has to be kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::identity::mac_of;
use crate::limits::TOKEN_BYTES;
use crate::proof::same;
use crate::time::{SECOND_MS, Timestamp};

/// How long somebody stays signed in.
pub const SESSION_MS: i64 = 12 * 60 * 60 * SECOND_MS;

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The cookie's value.
    pub value: String,
    /// What each of this session's forms says.
    pub form: String,
}

impl Session {
    /// Signs in by the token `id`, with unpredictable bits that tell this session from all others. The token's
    /// secret, or its digest, is the key.
    pub fn begin(id: &str, token: &str, now: Timestamp, nonce: u128) -> Self {
        let named = format!("{}.{nonce:032x}.{id}", now.plus(SESSION_MS).0);
        let value = format!("{named}.{}", mac(token, "session:", &named));
        Self { form: mac(token, "form:", &value), value }
    }

    /// Of somebody who is let in elsewhere, at each request: what their forms say.
    pub fn elsewhere(who: &str, key: &str) -> Self {
        Self { form: mac(key, "form:", who), value: who.to_owned() }
    }

    /// By which token a cookie says that somebody is signed in.
    pub fn whose(value: &str) -> Option<&str> {
        let mut parts = value.split('.').skip(2);
        let id = parts.next()?;
        (value.len() <= TOKEN_BYTES && parts.count() == 1).then_some(id)
    }

    /// The session of a cookie; none if it is anything but ours, whole and not yet over.
    pub fn read(value: &str, token: &str, now: Timestamp) -> Option<Self> {
        if token.is_empty() || value.len() > TOKEN_BYTES {
            return None;
        }
        let (named, given) = value.rsplit_once('.')?;
        let (expires, _) = named.split_once('.')?;
        let genuine = same(given, &mac(token, "session:", named));
        let lives = expires.parse::<i64>().is_ok_and(|expires| expires > now.0);
        (genuine && lives).then(|| Self { form: mac(token, "form:", value), value: value.to_owned() })
    }

    /// Whether a form is one of this session's.
    pub fn made(&self, form: &str) -> bool {
        same(form, &self.form)
    }
}

fn mac(token: &str, what: &str, of: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac_of(token.as_bytes(), &["console ", what, of]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    #[test]
    fn a_session_lasts_twelve_hours() {
        let value = Session::begin("id", "secret", NOW, 7).value;
        let at = |ms| Session::read(&value, "secret", NOW.plus(ms));
        assert!(at(0).is_some() && at(SESSION_MS - 1).is_some());
        assert_eq!(at(SESSION_MS), None);
    }

    #[test]
    fn another_token_ends_every_session() {
        let value = Session::begin("id", "secret", NOW, 7).value;
        assert_eq!(Session::read(&value, "Secret", NOW), None);
        assert_eq!(
            Session::read(&Session::begin("id", "", NOW, 7).value, "", NOW),
            None,
            "no token opens nothing"
        );
    }

    #[test]
    fn a_session_that_was_touched_anywhere_is_none() {
        let value = Session::begin("id", "secret", NOW, 7).value;
        for at in 0..value.len() {
            let mut touched = value.clone().into_bytes();
            touched[at] = if touched[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(Session::read(&String::from_utf8(touched).unwrap(), "secret", NOW), None, "byte {at}");
        }
        for broken in ["", ".", "..", "1.2.3", &value[1..], &value[..value.len() - 1]] {
            assert_eq!(Session::read(broken, "secret", NOW), None, "{broken}");
        }
    }

    #[test]
    fn a_session_says_whose_it_is() {
        assert_eq!(Session::whose(&Session::begin("0f", "secret", NOW, 7).value), Some("0f"));
        for none in ["", "1.2", "1.2.3", "1.2.3.4.5"] {
            assert_eq!(Session::whose(none), None, "{none}");
        }
    }

    #[test]
    fn a_form_counts_in_its_own_session_alone() {
        let (one, two) = (Session::begin("id", "secret", NOW, 1), Session::begin("id", "secret", NOW, 2));
        assert!(one.made(&one.form) && !one.made(&two.form) && !one.made(""));
        assert!(!one.made(one.value.rsplit('.').next().unwrap()), "the cookie's own MAC is no form's");
        assert_eq!(Session::read(&one.value, "secret", NOW), Some(one));
    }
}
