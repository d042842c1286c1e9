//! Read API (contract §5): OData v4 over customers and what they did. Who is named by a cookieId or
//! customerId is answered by the object itself, so strongly consistent; lists come from the index.

mod answer;
mod functions;
mod lists;
mod objects;
mod throttle;

use msci_core::access::Scope;
use msci_core::odata::address::{self, Address, Argument, Dialect, Path};
use msci_core::odata::question::Question;
use msci_core::odata::{Fault, metadata, model};
use msci_core::time::Timestamp;
use worker::{Env, Method, Request, Response};

use crate::access::{self, audit};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::{self, header};
use answer::{Answer, Format};

const CURRENT: &str = "/api/data/v9.2";
const LEGACY: &str = "/api/v1/instances/";

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::client(fault.status, fault.code, fault.message)
    }
}

/// Takes the root off an address behind the prefix: which dialect it speaks, and what follows.
pub(crate) fn root(own: &str) -> Option<(Dialect, &str)> {
    let under = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if let Some(rest) = own.strip_prefix(CURRENT).filter(|rest| under(rest)) {
        return Some((Dialect::Current, rest));
    }
    let (_instance, rest) = own.strip_prefix(LEGACY)?.split_once('/')?;
    Some((Dialect::Legacy, rest.strip_prefix("data").filter(|rest| under(rest))?))
}

/// One request, and what everything needs to answer it.
struct Asked<'a> {
    env: &'a Env,
    configuration: &'a Configuration,
    now: Timestamp,
    address: Address,
    format: Format,
    /// Rows in a page that the client prefers.
    page: Option<usize>,
    /// Address of the root, with a slash behind it.
    root: String,
    /// The address as asked, without its query.
    own: String,
    /// The query as asked.
    query: String,
}

/// Answers what stands behind a root.
pub(crate) async fn any(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    (dialect, path): (Dialect, &str),
    now: Timestamp,
) -> Result<Response> {
    let mut left = None;
    let mut whose = None;
    // Whoever may read anything may read this: every role does.
    let answer = match access::caller(request, env, configuration, Scope::Data, now).await {
        Err(refused) => Err(refused),
        Ok(caller) => {
            match throttle::take(&format!("{} {}", caller.id, caller.name), env, configuration, now).await {
                Err(wait) => return throttle::refused(wait),
                Ok(granted) => {
                    (left, whose) = (granted, Some(caller));
                    get(request, env, configuration, (dialect, path), now).await
                }
            }
        }
    };
    let refused = |error: Error| -> Result<Response> {
        let response = error.into_response()?;
        if response.status_code() == 405 {
            response.headers().set("Allow", "GET, HEAD")?;
        }
        Ok(response)
    };
    let response = answer.or_else(refused)?;
    if let Some(caller) = whose {
        let method = request.method().to_string();
        audit::counted(env, audit::entry(Some(&caller), &method, "data", response.status_code()), now).await;
    }
    let headers = response.headers();
    headers.set("OData-Version", "4.0")?;
    if let Some(left) = left {
        headers.set(throttle::HEADER, &left.to_string())?;
    }
    Ok(response)
}

async fn get(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    (dialect, path): (Dialect, &str),
    now: Timestamp,
) -> Result<Response> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Err(Error::method_not_allowed());
    }
    let url = http::url(request)?;
    let search = url.search();
    let query = search.strip_prefix('?').unwrap_or(&search).to_owned();
    let address = address::parse(dialect, path, &query)?;
    let own = format!("{}{}", url.origin(), url.pathname());
    let root = own.strip_suffix(path).unwrap_or(&own);
    let asked = Asked {
        env,
        configuration,
        now,
        format: Format::of(&header(request, "accept"), &address)?,
        page: answer::preferred_page(&header(request, "prefer")),
        root: format!("{root}/"),
        own,
        query,
        address,
    };
    let answer = asked.answer().await?;
    answer::response(answer, &asked)
}

impl Asked<'_> {
    async fn answer(&self) -> Result<Answer> {
        let bundle = &self.configuration.definitions.bundle;
        let dialect = self.address.dialect;
        let (name, arguments, count) = match &self.address.path {
            Path::Service => return Ok(Answer::Json(metadata::service(&self.root, dialect))),
            Path::Metadata => return Ok(Answer::Xml(metadata::csdl(dialect, bundle))),
            Path::Named { name, arguments, count } => (name, arguments.as_ref(), *count),
        };
        let named = model::named(dialect, name)?;
        let is_call = |arguments: &&Vec<(String, Argument)>| !matches!(arguments.as_slice(), [(name, _)] if name.is_empty());
        if let Some((function, arguments)) = named.function.zip(arguments.filter(is_call)) {
            if count {
                return Err(Error::not_found());
            }
            return functions::call(self, function, arguments).await;
        }
        let mut question = Question::new(named.set, &self.address, bundle, self.page)?;
        question.unseen = objects::unseen(self)?;
        match arguments {
            Some(_) if count => Err(Error::not_found()),
            Some(arguments) => {
                let key = model::key(&question.columns, arguments)?;
                lists::one(self, question.of_key(&key)?).await
            }
            None if count => {
                question.count = true;
                Ok(Answer::Text(lists::count(self, &question).await?.to_string()))
            }
            None => lists::many(self, &question).await,
        }
    }

    /// Address of the page behind this one.
    fn next(&self, token: &str) -> String {
        let replaced = ["$skiptoken=", "%24skiptoken=", "$skip=", "%24skip="];
        let kept = self.query.split('&').filter(|part| !replaced.iter().any(|name| part.starts_with(name)));
        let mut next = format!("{}?", self.own);
        for part in kept.filter(|part| !part.is_empty()) {
            next.push_str(part);
            next.push('&');
        }
        next.push_str("$skiptoken=");
        next.push_str(token);
        next
    }
}
