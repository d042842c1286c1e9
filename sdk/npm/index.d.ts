/** What the page decides. It may be stricter than the site's settings, never laxer. */
export interface Config {
  /** Names the site to the edge. */
  ingestionKey: string;
  /** Where the edge listens, with a slash at its end. Default: `/_msci/`. */
  endpointUrl?: string;
  /** What is captured without a call. Left out, everything; given, only what is `true`. */
  autoCapture?: { view?: boolean; click?: boolean };
  /** `false`: nothing is stored or sent until it is set to `true`, or `setConsent` grants it. */
  userConsent?: boolean;
}

/** A property's value; `null` and `undefined` count as absent. */
export type PropertyValue = string | number | boolean | null | undefined;
export type Properties = Record<string, PropertyValue>;

/** Who the visitor is. Without `authId` it enriches the profile and links nothing. */
export interface User {
  /** The key in the site's identity table. Words for nobody (`"null"`, `"guest"`, …) are refused. */
  authId?: string;
  authType?: string;
  localId?: string;
  name?: string;
  email?: string;
  /** A signed identity token, where the site requires one. */
  token?: string;
}

/** What the edge decided about a `setUser`. */
export interface UserResult {
  status: "merged" | "already" | "rotated" | "claimed" | "refused" | "queued";
  /** A part of the customer's history is still on its way. */
  pending?: boolean;
  /** Why it was refused: `not_loaded`, `consent_missing`, `opted_out`, or a code of the edge. */
  reason?: string;
}

export type Purpose = "storage" | "analytics" | "personalization";
export type Consent = Partial<Record<Purpose, "granted" | "denied">>;

/** A change to the page. */
export interface Change {
  selector: string;
  action: string;
  value?: string;
  name?: string;
}

/** What was decided for the visitor of this page. */
export interface Decisions {
  known: boolean;
  segments: string[];
  fields: Record<string, unknown>;
  experiences: { name: string; variant?: string; changes: Change[] }[];
}

/** For debugging. */
export interface Status {
  cookieId?: string;
  consent: Consent & { required?: true; gpc?: true; optedOut?: true };
  queued: number;
  acknowledged: number;
  rejected: { code: string; n: number }[];
  transport: "off" | "idle" | "sending" | "retrying" | "paused";
  wasm: string;
}

/**
 * One instance. Bad input rejects with an `Error` that has a `code`, and sends nothing. Where the SDK
 * did not load, every method resolves to `{ status: "refused", reason: "not_loaded" }`.
 */
export interface Instance {
  initialize(cfg: Config): Promise<void>;
  /** Says who the visitor is. Resolves when the edge has answered; `queued` after 5 s without. */
  setUser(user: User): Promise<UserResult>;
  trackView(view: {
    uri: string;
    title?: string;
    name?: string;
    type?: string;
    properties?: Properties;
  }): Promise<void>;
  trackAction(action: {
    name: string;
    type?: string;
    target?: string;
    elementId?: string;
    properties?: Properties;
  }): Promise<void>;
  trackEvent(event: { name: string; version?: string; properties?: Properties }): Promise<void>;
  /** A property of every later signal. */
  setProperty(name: string, value: PropertyValue): Promise<void>;
  setConfig(cfg: Pick<Config, "autoCapture" | "userConsent">): Promise<void>;
  setConsent(consent: Consent): Promise<void>;
  /** Logout: later signals belong to a new unknown profile. */
  reset(): Promise<void>;
  /** Stops, and purges everything on the device. */
  optOut(): Promise<void>;
  optIn(): Promise<void>;
  /** The decisions for this page; a stranger's if there are none to be had. */
  decisions(): Promise<Decisions>;
  /** Resolves when everything queued so far is acknowledged. */
  flush(): Promise<void>;
  teardown(): Promise<void>;
  status(): Promise<Status>;
}

export declare const MSCI: {
  /** Loads the SDK once; another call with the same `name` gets the same instance. Browser only. */
  load(cfg: Config & { name?: string }): Promise<Instance>;
};
