//! What the page decided. It may be stricter than the site, never laxer: `userConsent: false` asks for
//! consent where the site does not; nothing in `cfg` waives it.

use crate::facts::Facts;
use crate::json::Value;

/// The page's configuration.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Empty before there is a configuration.
    pub(crate) key: String,
    /// Absolute, with a slash at its end.
    pub(crate) endpoint: String,
    pub(crate) views: bool,
    pub(crate) clicks: bool,
}

impl Config {
    /// Answers whether `cfg` is one.
    pub(crate) fn read(&mut self, cfg: Value, facts: &Facts) -> bool {
        self.key = cfg.get("ingestionKey").text().unwrap_or_default().into();
        self.endpoint = facts.absolute(cfg.get("endpointUrl").text().unwrap_or("/_msci/"));
        if !self.endpoint.ends_with('/') {
            self.endpoint.push('/');
        }
        // Unmentioned, both are on; once one is mentioned, the other is what it says.
        self.views = cfg.get("autoCapture").is_null();
        self.clicks = self.views;
        self.update(cfg);
        self.is_there()
    }

    pub(crate) fn is_there(&self) -> bool {
        !self.key.is_empty()
    }

    /// Takes over what may change at run time.
    pub(crate) fn update(&mut self, cfg: Value) {
        let capture = cfg.get("autoCapture");
        self.views = capture.get("view").flag().unwrap_or(self.views);
        self.clicks = capture.get("click").flag().unwrap_or(self.clicks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cfg: &str) -> Option<Config> {
        let mut config = Config::default();
        let facts = Facts::read(r#"{"origin":"https://a.example"}"#);
        config.read(Value(cfg), &facts).then_some(config)
    }

    #[test]
    fn the_endpoint_is_absolute_and_a_folder() {
        for (endpoint, url) in [
            ("/_msci/", "https://a.example/_msci/"),
            ("/_msci", "https://a.example/_msci/"),
            ("https://b.example/m", "https://b.example/m/"),
        ] {
            let config = read(&format!(r#"{{"ingestionKey":"k","endpointUrl":"{endpoint}"}}"#));
            assert_eq!(config.unwrap().endpoint, url);
        }
        assert!(read("{}").is_none(), "there is no default for the key");
    }

    #[test]
    fn capture_is_on_unless_the_page_says_which() {
        let captures = |cfg| read(cfg).map(|config| (config.views, config.clicks));
        assert_eq!(captures(r#"{"ingestionKey":"k"}"#), Some((true, true)));
        assert_eq!(captures(r#"{"ingestionKey":"k","autoCapture":{"view":true}}"#), Some((true, false)));
        assert_eq!(captures(r#"{"ingestionKey":"k","autoCapture":{}}"#), Some((false, false)));
    }
}
