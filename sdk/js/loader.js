// The snippet's loader: one function expression, which the pasted snippet calls with
// (window, document, { src, name, cfg, user, props }). At most 700 bytes once minified.
//
// It makes `window[name]` at once. What is called before the SDK is there waits in `_q` as
// [method, arguments, resolve, reject]; the SDK replaces `_q.push` and sets `_q.on` when it takes over,
// so these methods stay the page's for good, even where it kept a reference to one.
(function (/** @type {any} */ w, /** @type {Document} */ d, /** @type {any} */ o) {
  try {
    var name = o.name || "MSCI";
    var api = w[name];
    var fresh;
    // Somebody else's object of that name is left alone; our own is joined.
    if (api && !api._q) return;
    api = api || (fresh = w[name] = { _q: [], _cfg: o.cfg });
    /** @type {any} */
    var queue = api._q;
    var refused = { status: "refused", reason: "not_loaded" };
    var fail = () => {
      if (!queue.on) queue.splice(0).map((queue.push = (/** @type {any} */ call) => call[2](refused)));
    };
    // One that was made by an older version knows fewer.
    "initialize setUser trackView trackAction trackEvent setProperty setConfig setConsent reset optOut optIn decisions flush teardown status"
      .split(" ")
      .map((method) => {
        api[method] =
          api[method] ||
          ((/** @type {any[]} */ ...args) =>
            new Promise((resolve, reject) => {
              queue.length < 200 ? queue.push([method, args, resolve, reject]) : resolve(refused);
            }));
      });
    if (fresh) {
      setTimeout(fail, 1e4);
      var script = d.createElement("script");
      script.onerror = fail;
      script.dataset.name = name;
      // Hidden from the attribute, visible to scripts; a script without one has "".
      script.nonce = (d.currentScript || script).nonce;
      script.src = o.src;
      d.head.appendChild(script);
    }
    for (var k in o.props) api.setProperty(k, o.props[k]);
    // What comes from a template may be empty: that is refused, and no error of the page.
    if (o.user) api.setUser(o.user).catch(() => {});
  } catch (e) {}
})
