/** How commands, times and the one who types are put into words; for the timeline, the replay and the list alike. */

import type { Command, InputControl, PolicyMode } from "./protocol";

export function actorText(actor: string): string {
  return { agent: "agent", human: "person", automation: "host" }[actor] ?? actor;
}

/** "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"; from milliseconds. */
export function durationText(ms: number): string {
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** "1:05" or "1:02:05", as a clock beside a replay shows it. */
export function clockText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${Math.floor((seconds % 3600) / 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest.padStart(5, "0")}` : rest;
}

const OUTCOMES: ReadonlyMap<string, string> = new Map([
  ["running", "running"],
  ["awaiting_input", "waits for input"],
  ["fullscreen", "full-screen program"],
  ["prompt_no_status", "ended, exit code unknown"],
  ["level_changed", "led elsewhere"],
  ["disconnected", "cut off"],
  ["unknown", "not known"],
]);

/** How a command ended, or stands. The exit code is said only where the shell gave one. */
export function outcomeText(command: Command): string {
  if (command.outcome === "refused") {
    const rule = command.rule_id === null ? "" : ` by ${command.rule_id}`;
    return command.verdict === "ask" ? `needs consent${rule}` : `refused${rule}`;
  }
  if (command.outcome === "completed") return command.exit_code === null ? "ended, exit code unknown" : `exit ${command.exit_code}`;
  const words = OUTCOMES.get(command.outcome) ?? command.outcome.replaceAll("_", " ");
  return command.exit_code === null ? words : `${words}, exit ${command.exit_code}`;
}

export type CommandMood = "good" | "bad" | "busy" | "refused" | "over";

export function commandMood(command: Command): CommandMood {
  if (command.outcome === "refused") return "refused";
  if (["running", "awaiting_input", "fullscreen"].includes(command.outcome)) return "busy";
  if (command.exit_code === null) return "over";
  return command.exit_code === 0 ? "good" : "bad";
}

/** A verdict worth a word; plain permission is none. */
export function verdictText(command: Command): string {
  if (command.outcome === "refused" || command.verdict === null || command.verdict === "allow") return "";
  return command.verdict === "ask" ? "allowed by a person" : command.verdict;
}

/** Who has the input, and whether an agent waits for it. */
export function inputText(input: InputControl): string {
  return `${holderText(input)}${input.agent_waits ? ", the agent waits" : ""}`;
}

function holderText(input: InputControl): string {
  switch (input.holder) {
    case null:
      return input.mode === "common" ? "Input: both" : "Input: free";
    case "human":
      return { lease: "Input: taken by a person", mode: "Input: persons only", typing: "Input: a person is typing" }[input.because ?? "lease"];
    case "agent":
      return input.because === "mode" ? "Input: agent only" : "Input: held by the agent";
  }
}

export function policyText(mode: PolicyMode): string {
  return `Policy: ${mode}`;
}
