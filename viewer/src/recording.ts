/**
 * A session that was recorded, ready to be played: from a transcript of ours (JSON lines) or an asciicast (version 2
 * or 3). Read tolerantly: a line that is torn, unknown or of a later version is passed over.
 */

import type { Command } from "./protocol";
import type { Place } from "./replay-address";

export type PlayedEvent =
  /** `end` is the offset in the session's output behind it, where the recording tells. */
  | { readonly at_ms: number; readonly kind: "output"; readonly bytes: Uint8Array; readonly end?: number }
  | { readonly at_ms: number; readonly kind: "resize"; readonly columns: number; readonly rows: number }
  /** A command began; its state in the end stands in `commands`. */
  | { readonly at_ms: number; readonly kind: "command"; readonly id: string };

export interface Recording {
  readonly title: string;
  readonly columns: number;
  readonly rows: number;
  /** In milliseconds since 1970-01-01 UTC; 0 where it does not say. */
  readonly started_unix_ms: number;
  readonly events: readonly PlayedEvent[];
  readonly commands: readonly Command[];
  /** Time of the last event. */
  readonly length_ms: number;
  /** What a person should know before they believe what they see. */
  readonly remarks: readonly string[];
}

/** It is neither of the two. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

type Fields = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();
const LARGEST_SIZE = 1_000;

/** Reads either kind. */
export function parseRecording(text: string): Recording {
  const first = text.slice(0, text.indexOf("\n") < 0 ? undefined : text.indexOf("\n"));
  const head = fieldsOf(first);
  // Ours has versions as well, and more than that.
  if (head?.["kind"] === "opened") return parseTranscript(head, text);
  if (head?.["version"] === 2 || head?.["version"] === 3) return parseCast(head, text);
  throw new RecordingError("This is neither a transcript of Portcullis nor an asciicast (version 2 or 3).");
}

function parseTranscript(opened: Fields, text: string): Recording {
  const events: PlayedEvent[] = [];
  const commands = new Map<string, Command>();
  const remarks: string[] = [];
  const started = number(opened["unix_ms"]);
  let refused = 0;
  let end = 0;
  let torn = 0;
  let printed = 0;
  // The end of what was on the line already may be recorded behind the command: until it is complete it could have
  // been the beginning of a secret.
  let early: { readonly id: string; readonly offset: number }[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const fields = fieldsOf(line);
    if (fields === undefined) {
      torn += 1;
      continue;
    }
    const at_ms = Math.max(end, number(fields["at_ms"]));
    end = at_ms;
    switch (fields["kind"]) {
      case "output": {
        const bytes = contentOf(fields);
        printed = number(fields["offset"]);
        if (bytes !== undefined) events.push({ at_ms, kind: "output", bytes, end: printed });
        for (const { id } of early.filter(({ offset }) => offset <= printed)) events.push({ at_ms, kind: "command", id });
        early = early.filter(({ offset }) => offset > printed);
        break;
      }
      case "resize":
        events.push({ at_ms, kind: "resize", columns: size(fields["columns"], 80), rows: size(fields["rows"], 24) });
        break;
      case "command_start": {
        const id = commandId(fields["command_id"]);
        commands.set(id, {
          id, actor: actor(fields["actor"]), text: string(fields["text"]), started_unix_ms: started + at_ms, duration_ms: null,
          offset: number(fields["offset"]), outcome: "running", exit_code: null, verdict: null, rule_id: null,
        });
        if (number(fields["offset"]) > printed) early.push({ id, offset: number(fields["offset"]) });
        else events.push({ at_ms, kind: "command", id });
        break;
      }
      case "command_end": {
        const known = commands.get(commandId(fields["command_id"]));
        if (known === undefined) break;
        const open = ["awaiting_input", "fullscreen", "running", "unknown"].includes(string(fields["outcome"]));
        commands.set(known.id, {
          ...known, outcome: string(fields["outcome"]), exit_code: exitCode(fields["exit_code"]),
          duration_ms: open ? null : started + at_ms - known.started_unix_ms,
        });
        break;
      }
      case "verdict": {
        const verdict = string(fields["verdict"]);
        if (fields["dry_run"] === true || fields["consent"] !== undefined || (verdict !== "deny" && verdict !== "ask")) break;
        refused += 1;
        const id = `r${refused}`;
        const [ruling] = Array.isArray(fields["decisions"]) ? (fields["decisions"] as unknown[]) : [];
        commands.set(id, {
          id, actor: actor(fields["actor"]), text: string(fields["text"]), started_unix_ms: started + at_ms, duration_ms: null, offset: 0,
          outcome: "refused", exit_code: null, verdict, rule_id: typeof ruling === "object" && ruling !== null ? string((ruling as Fields)["rule_id"]) : null,
        });
        events.push({ at_ms, kind: "command", id });
        break;
      }
      case "closed":
        remarks.push(`It ended: ${string(fields["reason"])}`);
        break;
    }
  }
  for (const { id } of early) events.push({ at_ms: end, kind: "command", id });
  for (const command of commands.values()) {
    if (command.duration_ms === null && command.outcome !== "refused") commands.set(command.id, { ...command, outcome: "no end recorded" });
  }
  if (string(opened["transcript"]) === "meta") remarks.push("Only lengths were recorded, no contents.");
  if (torn > 0) remarks.push(`${torn} lines could not be read and are left out.`);
  const title = `${string(opened["session_id"])} on ${string(opened["user"])}@${string(opened["address"])}`;
  return { title, columns: size(opened["columns"], 80), rows: size(opened["rows"], 24), started_unix_ms: started, events, commands: [...commands.values()], length_ms: end, remarks };
}

function parseCast(head: Fields, text: string): Recording {
  const term = head["version"] === 3 && isFields(head["term"]) ? head["term"] : { cols: head["width"], rows: head["height"] };
  const started = number(head["timestamp"]) * 1000;
  const events: PlayedEvent[] = [];
  const commands: Command[] = [];
  const remarks: string[] = [];
  let at = 0;
  let torn = 0;
  for (const line of text.split("\n").slice(1)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const parts = listOf(line);
    const [time, code, data] = parts ?? [];
    if (typeof time !== "number" || !Number.isFinite(time) || time < 0 || typeof code !== "string" || typeof data !== "string") {
      torn += 1;
      continue;
    }
    // Since the event before in version 3, since the beginning in version 2.
    at = head["version"] === 3 ? at + time * 1000 : Math.max(at, time * 1000);
    const at_ms = Math.round(at);
    if (code === "o") {
      events.push({ at_ms, kind: "output", bytes: encoder.encode(data) });
    } else if (code === "r") {
      const [columns, rows] = data.split("x");
      events.push({ at_ms, kind: "resize", columns: size(Number(columns), 80), rows: size(Number(rows), 24) });
    } else if (code === "m") {
      const id = `m${commands.length + 1}`;
      commands.push({ id, actor: "automation", text: data === "" ? "(a mark)" : data, started_unix_ms: started + at_ms, duration_ms: null, offset: 0, outcome: "mark", exit_code: null, verdict: null, rule_id: null });
      events.push({ at_ms, kind: "command", id });
    } else if (code === "x") {
      remarks.push(`It ended with exit code ${data}.`);
    }
  }
  if (torn > 0) remarks.push(`${torn} lines could not be read and are left out.`);
  const title = typeof head["title"] === "string" ? head["title"] : "A recording";
  return { title, columns: size(term["cols"], 80), rows: size(term["rows"], 24), started_unix_ms: started, events, commands, length_ms: Math.round(at), remarks };
}

/** The first event that shows a place: its output, or what came at that moment. The last one where none does. */
export function eventAt(recording: Recording, place: Place): number {
  const { offset, unix_ms } = place;
  const at_ms = unix_ms - recording.started_unix_ms;
  const shows = (event: PlayedEvent): boolean => (offset === null ? event.at_ms >= at_ms : event.kind === "output" && (event.end ?? 0) > offset);
  const index = recording.events.findIndex(shows);
  return index < 0 ? recording.events.length - 1 : index;
}

/**
 * The times at which events are played when no pause is longer than `longest_ms`; as they were recorded when there
 * is no such limit.
 */
export function playedTimes(events: readonly PlayedEvent[], longest_ms: number | undefined): number[] {
  let recorded = 0;
  let played = 0;
  return events.map((event) => {
    const pause = event.at_ms - recorded;
    recorded = event.at_ms;
    played += longest_ms === undefined ? pause : Math.min(pause, longest_ms);
    return played;
  });
}

function contentOf(fields: Fields): Uint8Array | undefined {
  if (typeof fields["text"] === "string") return encoder.encode(fields["text"]);
  if (typeof fields["base64"] !== "string") return undefined;
  try {
    return Uint8Array.from(atob(fields["base64"]), (it) => it.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function fieldsOf(line: string): Fields | undefined {
  const value = jsonOf(line);
  return isFields(value) ? value : undefined;
}

function listOf(line: string): unknown[] | undefined {
  const value = jsonOf(line);
  return Array.isArray(value) ? value : undefined;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Written as a number or as `c7`. */
function commandId(value: unknown): string {
  return typeof value === "number" ? `c${value}` : string(value);
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}

function exitCode(value: unknown): number | null {
  return Number.isSafeInteger(value) ? (value as number) : null;
}

function actor(value: unknown): Command["actor"] {
  return value === "human" || value === "agent" ? value : "automation";
}

function size(value: unknown, usual: number): number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST_SIZE ? (value as number) : usual;
}
