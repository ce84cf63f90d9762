/**
 * Every message between the page and the host, and nothing else. The twin of the host's
 * `web/protocol.rs`, where the meaning is described; both are checked against `protocol/*.json`.
 *
 * The host is ours, yet what arrives is checked field by field: a page left open over an update
 * must notice that it is too old instead of showing nonsense.
 */

export const PROTOCOL_VERSION = 1;

/** Typed bytes are split into messages of at most this size; the host refuses more than 64 KiB. */
export const LARGEST_TYPED_MESSAGE = 16 * 1024;

/** Output drawn before the host hears of it; it stops sending at 1 MiB. */
export const ACKNOWLEDGE_EVERY = 128 * 1024;

const OUTPUT_HEAD = 8;

/** What the bearer of a link may do beside watching. */
export type Role = "operator" | "observer" | "driver" | "approver";

export const ROLES: readonly Role[] = ["operator", "observer", "driver", "approver"];

/** Who may type in a session. */
export interface InputControl {
  readonly mode: InputMode;
  readonly holder: "human" | "agent" | null;
  readonly because: "lease" | "mode" | "typing" | null;
  readonly until_unix_ms: number | null;
  /** A command of an agent is held back until a person has done. */
  readonly agent_waits: boolean;
}

export type InputMode = "auto" | "common" | "human" | "agent";

export const INPUT_MODES: readonly InputMode[] = ["auto", "common", "human", "agent"];

export type PolicyMode = "safe" | "full" | "readonly" | "restricted";

/** A command beside the terminal. */
export interface Command {
  readonly id: string;
  readonly actor: "agent" | "human" | "automation";
  readonly text: string;
  readonly started_unix_ms: number;
  readonly duration_ms: number | null;
  readonly offset: number;
  readonly outcome: string;
  readonly exit_code: number | null;
  readonly verdict: string | null;
  readonly rule_id: string | null;
}

/** What a person does to a session; the body of a request of its own. */
export type ControlRequest =
  | { readonly type: "take"; readonly force: boolean }
  | { readonly type: "hand_over" }
  | { readonly type: "mode"; readonly mode: InputMode }
  | { readonly type: "interrupt" }
  | { readonly type: "close" }
  | { readonly type: "policy_mode"; readonly mode: "safe" | "full" };

/** A session of before, as its record tells it. */
export interface PastSession {
  readonly instance_id: string;
  readonly here: boolean;
  readonly session_id: string;
  readonly profile: string;
  readonly name: string | null;
  readonly host: string;
  readonly breadcrumb: readonly string[];
  readonly opened_unix_ms: number;
  readonly last_unix_ms: number;
  readonly closed_reason: string | null;
  readonly running: boolean;
  readonly has_content: boolean;
  readonly bytes: number;
}

/** What is looked for in the record; as `portcullis transcript search` has it. */
export interface SearchQuery {
  readonly pattern?: string;
  readonly regex?: boolean;
  readonly ignore_case?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly host?: string;
  readonly session?: string;
  readonly actor?: string;
  readonly kind?: string;
  readonly verdict?: string;
  readonly exit_code?: number;
  readonly command?: string;
  readonly limit?: number;
}

/** One place in the record. */
export interface SearchHit {
  readonly instance_id: string;
  readonly session_id: string;
  readonly profile: string;
  readonly number: number;
  readonly unix_ms: number;
  readonly kind: string;
  readonly offset: number | null;
  readonly actor: string | null;
  readonly exit_code: number | null;
  readonly text: string;
}

export interface SearchFound {
  readonly hits: readonly SearchHit[];
  readonly more: boolean;
  readonly files: number;
  readonly bytes: number;
  readonly problems: readonly string[];
}

export interface SessionSummary {
  readonly session_id: string;
  readonly name: string | null;
  readonly profile: string;
  readonly label: string;
  readonly host: string;
  readonly breadcrumb: readonly string[];
  readonly state: string;
  readonly running_command: string | null;
  readonly running_since_unix_ms: number | null;
  /** The terminal asks for a password or the like. */
  readonly asks_for_secret: boolean;
  readonly input: InputControl;
  readonly policy_mode: PolicyMode;
  readonly last_activity_unix_ms: number;
  readonly unhealthy_reason: string | null;
  /** Why what happens here is not written into the record now. */
  readonly record_problem: string | null;
  readonly opened_unix_ms: number;
  readonly closed_reason: string | null;
  readonly columns: number;
  readonly rows: number;
}

export interface SessionsMessage {
  readonly type: "sessions";
  readonly instance_id: string;
  readonly sessions: readonly SessionSummary[];
}

export interface Prompt {
  readonly text: string;
  readonly echo: boolean;
}

/** What is wanted of a person. */
export type Wanted =
  | { readonly kind: "answers"; readonly name: string; readonly instructions: string; readonly prompts: readonly Prompt[] }
  | { readonly kind: "passphrase"; readonly key: string; readonly again: boolean }
  | { readonly kind: "password"; readonly again: boolean }
  | { readonly kind: "host_key"; readonly key_type: string; readonly fingerprint: string; readonly file: string; readonly skipped: readonly string[] };

export interface Question {
  readonly id: string;
  readonly profile: string;
  readonly label: string;
  readonly target: string;
  readonly hop: string | null;
  readonly asked_unix_ms: number;
  readonly limit_s: number;
  readonly tried: readonly string[];
  readonly wanted: Wanted;
}

export interface QuestionsMessage {
  readonly type: "questions";
  readonly instance_id: string;
  readonly questions: readonly Question[];
}

/** One rule's word on a text. */
export interface Cause {
  readonly policy: string;
  readonly verdict: string;
  readonly rule_id: string;
  readonly reason: string;
  readonly suggestion: string | null;
  /** Bytes of the text in UTF-8: from, and one past the last. */
  readonly span: readonly [number, number] | null;
}

/** A text that a policy lets pass only when a person allows it. */
export interface Approval {
  readonly id: string;
  readonly digest: string;
  readonly session_id: string;
  readonly profile: string;
  readonly label: string;
  readonly breadcrumb: readonly string[];
  readonly delivery: string;
  readonly actor: string;
  readonly asked_by: string | null;
  readonly text: string;
  readonly causes: readonly Cause[];
  readonly purpose: string | null;
  readonly asked_unix_ms: number;
  readonly limit_s: number;
}

export interface ApprovalsMessage {
  readonly type: "approvals";
  readonly instance_id: string;
  readonly approvals: readonly Approval[];
}

/** What a person decides, about the text with that digest; the body of a request of its own. */
export type ApprovalAnswer =
  | { readonly type: "allow_once"; readonly digest: string }
  | { readonly type: "allow_rule"; readonly digest: string }
  | { readonly type: "deny"; readonly digest: string; readonly reason: string };

/** A loaded plugin and how it fares. */
export interface Plugin {
  readonly name: string;
  readonly kind: string;
  readonly digest_sha256: string;
  readonly failures: number;
  readonly remarks: readonly string[];
}

export interface PluginsMessage {
  readonly type: "plugins";
  readonly instance_id: string;
  readonly plugins: readonly Plugin[];
}

/** What a person says; the body of a request of its own, because it may be a secret. */
export type Answer =
  | { readonly type: "answers"; readonly answers: readonly string[] }
  | { readonly type: "trust"; readonly fingerprint: string }
  | { readonly type: "refuse" };

export interface AttachedMessage {
  readonly type: "attached";
  readonly protocol: number;
  readonly instance_id: string;
  readonly session: SessionSummary;
  readonly cause: "opened" | "lagged" | "resumed";
  readonly offset: number;
  readonly history_from: number;
  readonly columns: number;
  readonly rows: number;
}

export type ErrorCode = "unknown_session" | "attach_failed" | "keys_refused" | "role_needed" | "bad_message";

export type ServerMessage =
  | SessionsMessage
  | QuestionsMessage
  | ApprovalsMessage
  | PluginsMessage
  | AttachedMessage
  | { readonly type: "resized"; readonly columns: number; readonly rows: number }
  | { readonly type: "summary"; readonly session: SessionSummary }
  | { readonly type: "timeline"; readonly commands: readonly Command[] }
  | { readonly type: "command"; readonly command: Command }
  | { readonly type: "closed"; readonly reason: string }
  | { readonly type: "error"; readonly code: ErrorCode; readonly message: string }
  | { readonly type: "pong"; readonly id: number };

export type ClientMessage =
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "ack"; readonly offset: number };

export interface OutputFrame {
  /** Absolute offset of the first byte; for a snapshot, the offset it stands at. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The host sent something this page does not understand. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Reads a text frame. */
export function parseServerMessage(text: string): ServerMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError("a message is not JSON", { cause });
  }
  const fields = record(value);
  const type = string(fields, "type");
  switch (type) {
    case "sessions":
      return { type, instance_id: string(fields, "instance_id"), sessions: list(fields, "sessions").map(summary) };
    case "questions":
      return { type, instance_id: string(fields, "instance_id"), questions: list(fields, "questions").map(question) };
    case "approvals":
      return { type, instance_id: string(fields, "instance_id"), approvals: list(fields, "approvals").map(approval) };
    case "plugins":
      return { type, instance_id: string(fields, "instance_id"), plugins: list(fields, "plugins").map(plugin) };
    case "attached":
      return {
        type,
        protocol: count(fields, "protocol"),
        instance_id: string(fields, "instance_id"),
        session: summary(fields["session"]),
        cause: oneOf(fields, "cause", ["opened", "lagged", "resumed"]),
        offset: count(fields, "offset"),
        history_from: count(fields, "history_from"),
        columns: cells(fields, "columns"),
        rows: cells(fields, "rows"),
      };
    case "resized":
      return { type, columns: cells(fields, "columns"), rows: cells(fields, "rows") };
    case "summary":
      return { type, session: summary(fields["session"]) };
    case "timeline":
      return { type, commands: list(fields, "commands").map(command) };
    case "command":
      return { type, command: command(fields["command"]) };
    case "closed":
      return { type, reason: string(fields, "reason") };
    case "error":
      return {
        type,
        code: oneOf(fields, "code", ["unknown_session", "attach_failed", "keys_refused", "role_needed", "bad_message"]),
        message: string(fields, "message"),
      };
    case "pong":
      return { type, id: count(fields, "id") };
    default:
      throw new ProtocolError(`there is no message of type ${type.slice(0, 40)}`);
  }
}

/** Reads a binary frame. */
export function parseOutputFrame(data: ArrayBuffer): OutputFrame {
  if (data.byteLength < OUTPUT_HEAD) {
    throw new ProtocolError("an output frame is shorter than its head");
  }
  const offset = Number(new DataView(data).getBigUint64(0));
  if (!Number.isSafeInteger(offset)) {
    throw new ProtocolError("an output frame has an impossible offset");
  }
  return { offset, bytes: new Uint8Array(data, OUTPUT_HEAD) };
}

/** Writes a text frame. */
export function writeClientMessage(message: ClientMessage): string {
  return JSON.stringify(message);
}

/** Splits typed bytes into binary frames. */
export function typedFrames(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < bytes.length; start += LARGEST_TYPED_MESSAGE) {
    frames.push(bytes.subarray(start, start + LARGEST_TYPED_MESSAGE));
  }
  return frames;
}

type Fields = Readonly<Record<string, unknown>>;

function summary(value: unknown): SessionSummary {
  const fields = record(value);
  return {
    session_id: string(fields, "session_id"),
    name: stringOrNull(fields, "name"),
    profile: string(fields, "profile"),
    label: string(fields, "label"),
    host: string(fields, "host"),
    breadcrumb: strings(fields, "breadcrumb"),
    state: string(fields, "state"),
    running_command: stringOrNull(fields, "running_command"),
    running_since_unix_ms: countOrNull(fields, "running_since_unix_ms"),
    asks_for_secret: truth(fields, "asks_for_secret"),
    input: inputControl(fields["input"]),
    policy_mode: oneOf(fields, "policy_mode", ["safe", "full", "readonly", "restricted"]),
    last_activity_unix_ms: count(fields, "last_activity_unix_ms"),
    unhealthy_reason: stringOrNull(fields, "unhealthy_reason"),
    record_problem: stringOrNull(fields, "record_problem"),
    opened_unix_ms: count(fields, "opened_unix_ms"),
    closed_reason: stringOrNull(fields, "closed_reason"),
    columns: cells(fields, "columns"),
    rows: cells(fields, "rows"),
  };
}

function inputControl(value: unknown): InputControl {
  const fields = record(value);
  return {
    mode: oneOf(fields, "mode", INPUT_MODES),
    holder: fields["holder"] === null ? null : oneOf(fields, "holder", ["human", "agent"] as const),
    because: fields["because"] === null ? null : oneOf(fields, "because", ["lease", "mode", "typing"] as const),
    until_unix_ms: countOrNull(fields, "until_unix_ms"),
    agent_waits: truth(fields, "agent_waits"),
  };
}

function command(value: unknown): Command {
  const fields = record(value);
  return {
    id: string(fields, "id"),
    actor: oneOf(fields, "actor", ["agent", "human", "automation"]),
    text: string(fields, "text"),
    started_unix_ms: count(fields, "started_unix_ms"),
    duration_ms: countOrNull(fields, "duration_ms"),
    offset: count(fields, "offset"),
    outcome: string(fields, "outcome"),
    exit_code: fields["exit_code"] === null ? null : integer(fields, "exit_code"),
    verdict: stringOrNull(fields, "verdict"),
    rule_id: stringOrNull(fields, "rule_id"),
  };
}

/** Reads the answer of the request for sessions of before. */
export function parseHistory(value: unknown): readonly PastSession[] {
  return list(record(value), "sessions").map(pastSession);
}

function pastSession(value: unknown): PastSession {
  const fields = record(value);
  return {
    instance_id: string(fields, "instance_id"),
    here: truth(fields, "here"),
    session_id: string(fields, "session_id"),
    profile: string(fields, "profile"),
    name: stringOrNull(fields, "name"),
    host: string(fields, "host"),
    breadcrumb: strings(fields, "breadcrumb"),
    opened_unix_ms: count(fields, "opened_unix_ms"),
    last_unix_ms: count(fields, "last_unix_ms"),
    closed_reason: stringOrNull(fields, "closed_reason"),
    running: truth(fields, "running"),
    has_content: truth(fields, "has_content"),
    bytes: count(fields, "bytes"),
  };
}

/** Reads the answer of a search. */
export function parseSearchFound(value: unknown): SearchFound {
  const fields = record(value);
  return {
    hits: list(fields, "hits").map(searchHit),
    more: truth(fields, "more"),
    files: count(fields, "files"),
    bytes: count(fields, "bytes"),
    problems: strings(fields, "problems"),
  };
}

function searchHit(value: unknown): SearchHit {
  const fields = record(value);
  return {
    instance_id: string(fields, "instance_id"),
    session_id: string(fields, "session_id"),
    profile: string(fields, "profile"),
    number: count(fields, "number"),
    unix_ms: count(fields, "unix_ms"),
    kind: string(fields, "kind"),
    offset: countOrNull(fields, "offset"),
    actor: stringOrNull(fields, "actor"),
    exit_code: fields["exit_code"] === null ? null : integer(fields, "exit_code"),
    text: string(fields, "text"),
  };
}

function plugin(value: unknown): Plugin {
  const fields = record(value);
  return {
    name: string(fields, "name"),
    kind: string(fields, "kind"),
    digest_sha256: string(fields, "digest_sha256"),
    failures: count(fields, "failures"),
    remarks: strings(fields, "remarks"),
  };
}

function approval(value: unknown): Approval {
  const fields = record(value);
  return {
    id: string(fields, "id"),
    digest: string(fields, "digest"),
    session_id: string(fields, "session_id"),
    profile: string(fields, "profile"),
    label: string(fields, "label"),
    breadcrumb: strings(fields, "breadcrumb"),
    delivery: string(fields, "delivery"),
    actor: string(fields, "actor"),
    asked_by: stringOrNull(fields, "asked_by"),
    text: string(fields, "text"),
    causes: list(fields, "causes").map(cause),
    purpose: stringOrNull(fields, "purpose"),
    asked_unix_ms: count(fields, "asked_unix_ms"),
    limit_s: count(fields, "limit_s"),
  };
}

function cause(value: unknown): Cause {
  const fields = record(value);
  return {
    policy: string(fields, "policy"),
    verdict: string(fields, "verdict"),
    rule_id: string(fields, "rule_id"),
    reason: string(fields, "reason"),
    suggestion: stringOrNull(fields, "suggestion"),
    span: fields["span"] === null ? null : span(fields["span"]),
  };
}

function span(value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) throw new ProtocolError("a span is not two counts");
  const ends = { from: value[0] as unknown, to: value[1] as unknown };
  return [count(ends, "from"), count(ends, "to")];
}

function question(value: unknown): Question {
  const fields = record(value);
  return {
    id: string(fields, "id"),
    profile: string(fields, "profile"),
    label: string(fields, "label"),
    target: string(fields, "target"),
    hop: stringOrNull(fields, "hop"),
    asked_unix_ms: count(fields, "asked_unix_ms"),
    limit_s: count(fields, "limit_s"),
    tried: strings(fields, "tried"),
    wanted: wanted(fields["wanted"]),
  };
}

function wanted(value: unknown): Wanted {
  const fields = record(value);
  const kind = oneOf(fields, "kind", ["answers", "passphrase", "password", "host_key"]);
  switch (kind) {
    case "answers":
      return { kind, name: string(fields, "name"), instructions: string(fields, "instructions"), prompts: list(fields, "prompts").map(prompt) };
    case "passphrase":
      return { kind, key: string(fields, "key"), again: truth(fields, "again") };
    case "password":
      return { kind, again: truth(fields, "again") };
    case "host_key":
      return {
        kind,
        key_type: string(fields, "key_type"),
        fingerprint: string(fields, "fingerprint"),
        file: string(fields, "file"),
        skipped: strings(fields, "skipped"),
      };
  }
}

function prompt(value: unknown): Prompt {
  const fields = record(value);
  return { text: string(fields, "text"), echo: truth(fields, "echo") };
}

function record(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError("an object is missing");
  }
  return value as Fields;
}

function string(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new ProtocolError(`${name} is not text`);
  return value;
}

function stringOrNull(fields: Fields, name: string): string | null {
  return fields[name] === null ? null : string(fields, name);
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new ProtocolError(`${name} is not a list`);
  return value;
}

function strings(fields: Fields, name: string): readonly string[] {
  return list(fields, name).map((text) => {
    if (typeof text !== "string") throw new ProtocolError(`something in ${name} is not text`);
    return text;
  });
}

function truth(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== "boolean") throw new ProtocolError(`${name} is neither true nor false`);
  return value;
}

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ProtocolError(`${name} is not a count`);
  return value as number;
}

function countOrNull(fields: Fields, name: string): number | null {
  return fields[name] === null ? null : count(fields, name);
}

function integer(fields: Fields, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value)) throw new ProtocolError(`${name} is not a number`);
  return value as number;
}

/** A size in terminal cells. The upper bound is that of the wire; it keeps a slip from filling memory. */
function cells(fields: Fields, name: string): number {
  const value = count(fields, name);
  if (value < 1 || value > 65_535) throw new ProtocolError(`${name} is not a size`);
  return value;
}

function oneOf<T extends string>(fields: Fields, name: string, known: readonly T[]): T {
  const value = string(fields, name);
  const found = known.find((it) => it === value);
  if (found === undefined) throw new ProtocolError(`${name} has an unknown value`);
  return found;
}
