// Applies a plain list of edits to an HTML stream. Rust decides what the edits are; closures from Rust
// as handlers would outlive the request and leak.
const HTML = { html: true };

const actions = {
  setText: (element, edit) => element.setInnerContent(edit.value),
  setHtml: (element, edit) => element.setInnerContent(edit.value, HTML),
  setAttribute: (element, edit) => element.setAttribute(edit.name, edit.value),
  append: (element, edit) => element.append(edit.value, HTML),
  prepend: (element, edit) => element.prepend(edit.value, HTML),
  before: (element, edit) => element.before(edit.value, HTML),
  after: (element, edit) => element.after(edit.value, HTML),
  remove: (element) => element.remove(),
};

export function rewrite(response, edits) {
  let rewriter = new HTMLRewriter();
  for (const edit of JSON.parse(edits)) {
    try {
      rewriter = rewriter.on(edit.selector, {
        element: (element) => actions[edit.action](element, edit),
      });
    } catch (error) {
      // A selector that the rewriter does not know takes its own edit with it, not the page.
      console.warn(`selector ${edit.selector} is not supported: ${error}`);
    }
  }
  return rewriter.transform(response);
}
