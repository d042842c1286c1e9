/** The entry: `const msci = await MSCI.load({ ingestionKey: "local" });` */
export declare const MSCI: {
  /**
   * Makes the instance and starts to load the SDK from the site's Worker. Resolves at once: what is called
   * before the SDK is there waits for it. With a `name` that the page has already (from the snippet, or an
   * earlier call) it resolves to that instance, whatever else the options say.
   *
   * Rejects with a {@link LoadErrorCode}, and has then changed nothing.
   */
  load(options: LoadOptions): Promise<Instance>;
};

/** What the page decides. It may be stricter than the site's settings, never laxer. */
export interface Config {
  /** Names the site to the edge: one of its ingestion keys. It is public. */
  ingestionKey: string;
  /** Where the Worker listens: a path of this site, or a URL. Default: `/_msci/`. */
  endpointUrl?: string;
  /** What is captured without a call. Left out, everything; given, only what is `true`. */
  autoCapture?: AutoCapture;
  /**
   * `false`: nothing is stored or sent until it is set to `true`, or `setConsent` grants it.
   * `true`: the visitor has granted everything. Left out: as the site's settings say.
   */
  userConsent?: boolean;
  /** Applies what the edge decides, where the Worker is not in front of the page. `true`: `{ apply: true }`. */
  personalization?: true | Personalization;
}

/** What becomes of decisions in the browser. It is asked for anew when the address changes. */
export interface Personalization {
  /** Changes the page, and what appears on it within 30 s. A page that the Worker itself has changed stays as it is. */
  apply?: boolean;
  /** What is decided later is not applied, in milliseconds. At most, and by default, 1000. */
  timeoutMs?: number;
  /** Pushes segments to `window.optimizely` as user attributes. */
  optimizely?: boolean;
  /** Pushes the event `msci_decisions` to `window.dataLayer`, for tag managers. */
  dataLayer?: boolean;
  /** Gives GrowthBook's script attributes, through `window.growthbook_queue`. */
  growthbook?: boolean;
}

/** What is captured without a call. */
export interface AutoCapture {
  /** Page views: on load, when the address changes, when a page comes back. */
  view?: boolean;
  /** Interactions with links, buttons, and elements with `data-msci-*` attributes. Never typed text. */
  click?: boolean;
}

/** A {@link Config}, and how it gets onto the page. */
export interface LoadOptions extends Config {
  /** The instance is `window[name]`. Default: `MSCI`. Another name makes another instance. */
  name?: string;
  /** For a Content Security Policy with nonces: that of this page. */
  nonce?: string | undefined;
}

/**
 * One instance. Its promises always settle:
 * - **resolved** with what the method is for;
 * - **resolved** to {@link Refused} when it was not done: the SDK did not load (`not_loaded`, after 10 s at
 *   the latest), or this instance has ended;
 * - **rejected** with an {@link MsciError} when the arguments are wrong. Nothing is sent then.
 *
 * Without the visitor's consent `track…` resolve too: the signal is held until there is some, or dropped.
 */
export interface Instance {
  /** `load` does this. A second time it rejects with `already_initialized`. */
  initialize(cfg: Config): Promise<Done>;
  /**
   * Says who the visitor is. Resolves when the edge has answered; `queued` after 5 s without an answer: it is
   * kept, and sent when that is possible.
   *
   * Rejects with `authid_invalid`, `invalid_field`, `invalid_user` (nothing in it).
   */
  setUser(user: User): Promise<UserResult>;
  /** A page view by hand. Resolves when it is queued. Rejects with `uri_missing`, `invalid_field`. */
  trackView(view: ViewSignal): Promise<Done>;
  /** An interaction by hand. Resolves when it is queued. Rejects with `name_missing`, `invalid_field`. */
  trackAction(action: ActionSignal): Promise<Done>;
  /** A custom event. Resolves when it is queued. Rejects with `name_missing`, `invalid_field`. */
  trackEvent(event: EventSignal): Promise<Done>;
  /**
   * A property of every later signal of this page; `null` takes it back. A signal's own property of the same
   * name goes first. Rejects with `name_missing`, `invalid_field`.
   */
  setProperty(name: string, value: PropertyValue): Promise<Done>;
  /** Changes the configuration at run time. */
  setConfig(cfg: Pick<Config, "autoCapture" | "userConsent">): Promise<Done>;
  /** What the visitor says about some purposes; the others stay as they are. Rejects with `invalid_consent`. */
  setConsent(consent: Consent): Promise<Done>;
  /** Logout: a new cookieId, and later signals belong to a new unknown profile. */
  reset(): Promise<Done>;
  /** Stops, and purges everything on the device. Survives reloads. */
  optOut(): Promise<Done>;
  /** Takes an opt-out back. */
  optIn(): Promise<Done>;
  /** The decisions for this page; a stranger's where there are none to be had. */
  decisions(): Promise<Decisions | Refused>;
  /** Resolves when everything queued so far is acknowledged, or given up. */
  flush(): Promise<Done>;
  /** Sends what is queued and ends the instance: listeners, timers. Calls after it are refused: `torn_down`. */
  teardown(): Promise<Done>;
  /** For debugging. */
  status(): Promise<Status | Refused>;
}

/** Nothing to tell, or why it was not done. */
export type Done = undefined | Refused;

/** A call that was not carried out. */
export interface Refused {
  status: "refused";
  /**
   * - `not_loaded`: the SDK's script failed, or 10 s passed without it, or 200 calls were waiting already
   * - `failed`: the SDK has failed on this page
   * - `torn_down`: the instance has ended
   * - `opted_out`: the visitor has opted out
   * - `consent_missing`: the visitor has not agreed
   */
  reason: "not_loaded" | "failed" | "torn_down" | "opted_out" | "consent_missing" | Other;
}

/** Who the visitor is. Without `authId` it enriches the profile and links nothing. */
export interface User {
  /**
   * The key in the site's identity table. At most 256 bytes; words for nobody (`"null"`, `"guest"`, `"0"`, …)
   * reject with `authid_invalid`.
   */
  authId?: string;
  /** How they signed in. */
  authType?: string;
  /** An id of the site's own. */
  localId?: string;
  name?: string;
  email?: string;
  /** A signed identity token of the site's server; where the settings require one, nothing merges without. */
  token?: string;
}

/** What became of a `setUser`. */
export interface UserResult {
  /**
   * - `merged`: the visitor is this customer from now on, with everything they did before
   * - `already`: they were before, or no `authId` was given
   * - `rotated`: the browser belonged to another customer, and has another cookieId now
   * - `claimed`: noted, but the settings require a token, so nothing is linked
   * - `refused`: not done, see `reason`
   * - `queued`: no answer within 5 s; it is kept and sent
   */
  status: "merged" | "already" | "rotated" | "claimed" | "refused" | "queued";
  /** A part of the customer's history is still on its way. */
  pending?: boolean;
  /** Why it was refused: by this page (the first line below), or by the edge. */
  reason?:
    | Refused["reason"] | "too_large"
    | "authid_invalid" | "token_invalid" | "no_tracking_table" | "too_many_links" | "erased" | "too_old"
    | Other;
}

/** A page view. */
export interface ViewSignal {
  /** Its address; a path is one of this site. */
  uri: string;
  title?: string;
  name?: string;
  /** Default: `page`. */
  type?: string;
  properties?: Properties;
}

/** An interaction. */
export interface ActionSignal {
  name: string;
  /** What was done, such as `LClick`. */
  type?: string;
  /** What it was done to, or where it leads. */
  target?: string;
  elementId?: string;
  properties?: Properties;
}

/** A custom event. At most 100 in a second are taken. */
export interface EventSignal {
  name: string;
  /** Of the event's own definition. */
  version?: string;
  properties?: Properties;
}

/** A property's value; `null` and `undefined` count as absent. */
export type PropertyValue = string | number | boolean | null | undefined;
/** At most 64, with names of 128 bytes and texts of 8 KB. */
export type Properties = Record<string, PropertyValue>;

/** What something may be done for. `storage` gates everything: cookie, queue and sending. */
export type Purpose = "storage" | "analytics" | "personalization";
export type Consent = Partial<Record<Purpose, "granted" | "denied">>;

/** What was decided for the visitor of this page. */
export interface Decisions {
  /** Whether this browser may see a known customer. */
  known: boolean;
  /** Those of the visitor's segments that the settings show to browsers. */
  segments: string[];
  /** Those of the visitor's attributes that the settings show to browsers. */
  fields: Record<string, unknown>;
  /** Experiences whose audience the visitor is in. */
  experiences: Experience[];
}

/** An experience that applies to this page. */
export interface Experience {
  name: string;
  /** The variant, or `holdout`, which changes nothing. */
  variant?: string;
  changes: Change[];
}

/** A change to the page. */
export interface Change {
  /** CSS selector. */
  selector: string;
  action:
    | "setText" | "setHtml" | "setAttribute"
    | "append" | "prepend" | "before" | "after" | "remove" | "redirect";
  value?: string;
  /** The attribute, for `setAttribute`. */
  name?: string;
}

/** How the instance is, for debugging. */
export interface Status {
  /** The visitor's id in the cookie `_msci`; absent without consent. */
  cookieId?: string;
  /** What the visitor said, and what stands above it. */
  consent: Consent & { required?: true; gpc?: true; optedOut?: true };
  /** Signals that wait for their acknowledgement. */
  queued: number;
  /** Signals that the edge holds because of this page. */
  acknowledged: number;
  /** Signals that will not arrive, counted by reason. */
  rejected: { code: string; n: number }[];
  /**
   * `paused`: the edge told this page to stop sending; `blocked`: nothing came through for long, it is tried again when
   * the visitor goes on; `off`: there is no consent.
   */
  transport: "off" | "idle" | "sending" | "retrying" | "paused" | "blocked";
  /** `ok`, or why the SDK works without WebAssembly, in the browser's words. */
  wasm: "ok" | Other;
  /** Where the queue outlives the page. */
  store?: "indexedDB" | "localStorage" | "memory" | Other;
}

/** Why `load` made no instance. */
export type LoadErrorCode =
  /** It was called on a server. */
  | "no_browser"
  | "ingestion_key_missing"
  /** `window[name]` is something else. */
  | "name_taken";

/** What is wrong with a call. */
export type ErrorCode =
  | LoadErrorCode
  | "already_initialized"
  | "not_initialized"
  | "authid_invalid"
  | "invalid_user"
  | "invalid_field"
  | "invalid_consent"
  | "name_missing"
  | "uri_missing";

/** What promises reject with. */
export interface MsciError extends Error {
  code: ErrorCode | Other;
}

/** A word of a newer version: the known ones are still proposed by editors. */
type Other = string & {};
export {};
