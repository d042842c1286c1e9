//! Answers that are made as fast as they are taken: what is held of them does not grow with their length.

use std::future::Future;

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::WritableStreamDefaultWriter;
use worker::{Response, ResponseBuilder};

use crate::error::Result;

/// The end of an answer into which it is written.
pub(crate) struct Outgoing(WritableStreamDefaultWriter);

impl Outgoing {
    /// Waits until there is room for more.
    ///
    /// # Errors
    /// When nobody takes it any more.
    pub(crate) async fn send(&self, text: &str) -> Result<()> {
        let bytes = js_sys::Uint8Array::from(text.as_bytes());
        JsFuture::from(self.0.write_with_chunk(&bytes)).await?;
        Ok(())
    }
}

/// An answer that nobody keeps, of what `write` sends. Where that fails, whoever reads sees that it broke off.
pub(crate) fn streamed<F>(content_type: &str, write: impl FnOnce(Outgoing) -> F) -> Result<Response>
where
    F: Future<Output = Result<()>> + 'static,
{
    let pipe = web_sys::TransformStream::new()?;
    let writer = pipe.writable().get_writer()?;
    let written = write(Outgoing(writer.clone()));
    spawn_local(async move {
        let _ = match written.await {
            Ok(()) => writer.close(),
            Err(error) => {
                worker::console_warn!("an answer broke off: {error}");
                writer.abort()
            }
        };
    });
    let builder = ResponseBuilder::new()
        .with_header("Cache-Control", "no-store")?
        .with_header("Content-Type", content_type)?
        .with_header("X-Content-Type-Options", "nosniff")?;
    Ok(builder.stream(pipe.readable()))
}
