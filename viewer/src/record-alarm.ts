/** Says loudly that what happens in a session is not written into its record now. */

import { element, setText } from "./dom";
import type { SessionSummary } from "./protocol";

export function recordAlarm(): HTMLElement {
  return element("p", { class: "alarm", role: "alert", hidden: "" });
}

/** Shown for as long as lines are lost; a closed session writes none. */
export function showRecordAlarm(alarm: HTMLElement, session: SessionSummary): void {
  const problem = session.closed_reason === null ? session.record_problem : null;
  setText(alarm, problem === null ? "" : `Not recorded: ${problem}`);
  alarm.hidden = problem === null;
}
