//! A visit to a page, and what it asks the admin API for: without a network, without a token.

use serde_json::Value;
use web_sys::UrlSearchParams;
use worker::{Env, Request};

use crate::access::Caller;
use crate::admin;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http;
use msci_core::access;
use msci_core::json;
use msci_core::session::Session;

/// One request for a page, of somebody who is signed in.
pub(super) struct Visit<'a> {
    pub(super) env: &'a Env,
    pub(super) configuration: &'a Configuration,
    pub(super) session: Session,
    pub(super) caller: Caller,
    /// What the form says, if it is one.
    pub(super) form: Option<web_sys::FormData>,
    query: UrlSearchParams,
    /// Where the console is visited.
    origin: String,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        request: &Request,
        env: &'a Env,
        configuration: &'a Configuration,
        (session, caller): (Session, Caller),
    ) -> Result<Self> {
        let url = http::url(request)?;
        let (query, origin) = (url.search_params(), url.origin());
        Ok(Self { env, configuration, session, caller, form: None, query, origin })
    }

    /// Whether a page is for whoever visits.
    pub(super) fn sees(&self, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        self.caller.role >= access::of_page(&path.split('/').collect::<Vec<_>>())
    }

    /// Whether a form is.
    pub(super) fn sends(&self, path: &str) -> bool {
        self.caller.role >= access::of_form(&path.split('/').collect::<Vec<_>>())
    }

    /// A parameter of the address; empty when absent.
    pub(super) fn asked(&self, name: &str) -> String {
        self.query.get(name).unwrap_or_default()
    }

    /// A field of the form; empty when absent.
    pub(super) fn sent(&self, name: &str) -> String {
        let value = self.form.as_ref().map(|form| form.get(name));
        // Browsers send lines as CR LF.
        value.and_then(|value| value.as_string()).unwrap_or_default().replace("\r\n", "\n")
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None).await
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(|body| json::text(body).into());
        self.send(method, path, "application/json", body).await
    }

    /// With a body of any kind.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Option<wasm_bindgen::JsValue>,
    ) -> Result<Value> {
        let init = web_sys::RequestInit::new();
        init.set_method(method);
        if let Some(body) = body {
            init.set_body(&body);
        }
        let request = web_sys::Request::new_with_str_and_init(&format!("{}/{path}", self.origin), &init)?;
        request.headers().set("content-type", kind)?;
        let path = path.split('?').next().unwrap_or_default();
        let mut answer =
            admin::answer(request.into(), self.env, self.configuration, path, &self.caller).await?;
        let text = answer.text().await.map_err(Error::from)?;
        Ok(json::value(&text)?)
    }
}
