// What the bundler's own import specifiers stand for, as far as the JavaScript here uses it.

/** What the binding generator writes for the Worker. */
declare module "msci:glue" {
  export interface Env {
    SITE?: { fetch(request: Request): Promise<Response> };
    MSCI_ORIGIN?: string;
    MSCI_PREFIX?: string;
    SNAPSHOTS: { get(key: string): Promise<string | null> };
  }
  export interface ObjectState {
    storage: { setAlarm(time: number): Promise<void> };
  }
  export interface RustObject {
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<unknown>;
  }
  export type ObjectClass = new (state: ObjectState, env: Env) => RustObject;
  export const ProfileObject: ObjectClass;
  export const ConfigObject: ObjectClass;
  export const JobObject: ObjectClass;
  export function fetch(request: Request, env: Env, context: unknown): Promise<Response>;
  export function plan(id: number, lines: string): string | undefined;
  export function prepare(id: number, env: Env): Promise<string | undefined>;
  export function decide(id: number, answered: boolean, text?: string | null): boolean;
  export function ask(id: number, env: Env): Promise<void>;
  export function answer(id: number, status: number, type: string, page: Response, env: Env): string | undefined;
  export function unanswered(id: number, accept: string, destination: string): string | undefined;
  export function __worker_init_state(): object;
  export function __wbg_reset_state(): void;
}


/** What people read on the console; the bundler puts in what a script uses. */
declare const texts: ConsoleTexts["pages"] & ConsoleTexts["scripts"];
type ConsoleTexts = typeof import("../www/console/texts.json", { with: { "resolution-mode": "import" } });
