//! An identity token: the text itself, which nobody signed; and one that is signed with the right key and says
//! whatever it likes (`header`, line end, `claims`). It proves what it says and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use msci_core::identity::Normal;
use msci_core::ids::CookieId;
use msci_core::keys::Ring;
use msci_core::time::Timestamp;
use msci_core::token::{CURVE_CHECKS, Expected, prove};
use serde_json::Value;
use sha2::Sha256;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// An hour, and as much as clocks may differ.
const LONGEST: f64 = 3660.0;
const SECRET: &str = "a secret of the site's server";

/// No text is a token, and a signed one proves no more than it says.
pub(crate) fn everything(text: &str) {
    let ring = Ring::default().with_built_in(SECRET, "");
    for own_cookie in [false, true] {
        let expected = Expected {
            auth_id: "Loyalty1",
            table: "People",
            normal: Normal { nfc: str::to_owned, ignore_case: false },
            cookie: CookieId::from_bits(1),
            own_cookie,
        };
        let proves = |token: &str, ring: &Ring| prove(token, ring, expected, &mut { CURVE_CHECKS }, NOW);
        assert!(proves(text, &ring).is_err());
        assert!(proves(text, &Ring::default().with_built_in("", "")).is_err());
        let Some((header, claims)) = text.split_once('\n') else { continue };
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
        mac.update(signed.as_bytes());
        let token = format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()));
        if let Ok(used) = proves(&token, &ring) {
            let header: Value = serde_json::from_str(header).expect("a header is JSON");
            let claims: Value = serde_json::from_str(claims).expect("claims are JSON");
            assert_eq!(header["alg"], "HS256");
            assert!(header.get("kid").is_none_or(|kid| kid == "built-in"));
            assert_eq!(claims["sub"].as_str().map(str::trim), Some("Loyalty1"));
            let ahead = claims["exp"].as_f64().expect("it ends") - NOW.0 as f64 / 1000.0;
            assert!(ahead > 0.0 && ahead <= LONGEST, "{ahead} s");
            assert!(claims.get("aud").is_none_or(|aud| aud == "People"));
            assert!(claims.get("cid").map_or(own_cookie, Value::is_string));
            assert_eq!(used.is_some(), claims.get("cid").is_none(), "who names no browser is bound to one");
        }
    }
}
