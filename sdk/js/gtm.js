// The loader for Google Tag Manager: one function expression, called as `loader.js` is, and doing what that does.
//
// A Custom HTML tag is inserted late, as a copy that has no `document.currentScript`: the nonce is that of the page's
// other scripts. What tag managers compile is ECMAScript 5, and two braces in a row would be one of their variables.
(function (/** @type {any} */ w, /** @type {Document} */ d, /** @type {any} */ o) {
  try {
    var name = o.name || "MSCI";
    var api = w[name];
    // Somebody else's object of that name is left alone; our own is joined.
    if (api && !api._q) return;
    var fresh = !api;
    if (fresh) api = w[name] = { _q: [], _cfg: o.cfg };
    /** @type {any} */
    var queue = api._q;
    var refused = { status: "refused", reason: "not_loaded" };
    var fail = function () {
      if (queue.on) return;
      queue.push = function (/** @type {any} */ call) {
        call[2](refused);
      };
      queue.splice(0).map(queue.push);
    };
    "initialize setUser trackView trackAction trackEvent setProperty setConfig setConsent reset optOut optIn decisions flush teardown status"
      .split(" ")
      .map(function (method) {
        if (api[method]) return;
        api[method] = function () {
          /** @type {any[]} */
          var args = [].slice.call(arguments);
          return new Promise(function (resolve, reject) {
            queue.length < 200 ? queue.push([method, args, resolve, reject]) : resolve(refused);
          });
        };
      });
    if (fresh) {
      setTimeout(fail, 1e4);
      var script = d.createElement("script");
      var other = /** @type {any} */ (d.querySelector("script[nonce]"));
      script.onerror = fail;
      script.setAttribute("data-name", name);
      if (other) script.nonce = other.nonce;
      script.src = o.src;
      d.head.appendChild(script);
    }
    for (var k in o.props) api.setProperty(k, o.props[k]);
    // What comes from a variable may be empty: that is refused, and no error of the page.
    if (o.user) api.setUser(o.user)["catch"](function () {});
  } catch (e) {}
})
