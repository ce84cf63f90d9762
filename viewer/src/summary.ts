/** How a session is put into words, for the list and for the head of a terminal alike. */

import type { ConnectionState } from "./connection";
import type { SessionSummary } from "./protocol";

/** What the colour of a badge stands for. */
export type Mood = "idle" | "busy" | "ill" | "over";

/** Where the host's own word says little to somebody who only watches. */
const STATE_WORDS: ReadonlyMap<string, string> = new Map([
  ["arming", "preparing the shell"],
  ["awaiting_input", "waiting for input"],
  ["fullscreen", "full-screen program"],
  ["menu", "in a menu"],
]);

export function mood(session: SessionSummary): Mood {
  if (session.closed_reason !== null) return "over";
  if (session.unhealthy_reason !== null) return "ill";
  return session.running_command === null ? "idle" : "busy";
}

/** What a person calls the session. */
export function sessionTitle(session: SessionSummary): string {
  const label = session.label === "" ? session.session_id : session.label;
  return session.name === null ? label : `${label} · ${session.name}`;
}

export function stateText(session: SessionSummary): string {
  if (session.closed_reason !== null) return "closed";
  if (session.unhealthy_reason !== null) return "no answer";
  return STATE_WORDS.get(session.state) ?? session.state.replaceAll("_", " ");
}

export function connectionText(state: ConnectionState): string {
  switch (state.name) {
    case "connecting":
      return "Connecting";
    case "live":
      return "Live";
    case "waiting":
      return "Connection lost, trying again";
    case "ended":
      return "Disconnected";
    case "login_needed":
      return "Login needed";
  }
}

/** "just now", "3 minutes ago"; `now` and `then` in milliseconds. */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - then) / 1000));
  if (seconds < 45) return "just now";
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  if (seconds < 3_570) return words.format(-Math.max(1, Math.round(seconds / 60)), "minute");
  if (seconds < 84_600) return words.format(-Math.max(1, Math.round(seconds / 3_600)), "hour");
  return words.format(-Math.max(1, Math.round(seconds / 86_400)), "day");
}

/** "1:05 left"; `end` and `now` in milliseconds. */
export function timeLeft(end: number, now: number): string {
  const seconds = Math.ceil((end - now) / 1000);
  if (seconds <= 0) return "time is over";
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}
