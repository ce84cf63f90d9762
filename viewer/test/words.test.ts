import { describe, expect, it } from "vitest";

import { pasteNeedsConsent, safePaste } from "../src/paste";
import type { SessionSummary } from "../src/protocol";
import type { Command } from "../src/protocol";
import { clockText, commandMood, durationText, inputText, outcomeText } from "../src/words";
import { ago, mood, sessionTitle, stateText, timeLeft } from "../src/summary";

describe("paste", () => {
  it("loses control characters and keeps text, tabs and line ends", () => {
    expect(safePaste("a\x1b[201~b\x00\x07\x7f\x9bc\td\r\ne\nü€")).toBe("a[201~bc\td\r\ne\nü€");
  });

  it("is asked about when lines would run one by one", () => {
    expect(pasteNeedsConsent("one line", false)).toBe(false);
    expect(pasteNeedsConsent("one line\n", false)).toBe(false);
    expect(pasteNeedsConsent("one\ntwo", false)).toBe(true);
    expect(pasteNeedsConsent("one\rtwo", false)).toBe(true);
    expect(pasteNeedsConsent("one\ntwo", true)).toBe(false);
  });
});

describe("age", () => {
  it.each([
    [-5, "just now"], [0, "just now"], [44, "just now"], [45, "1 minute ago"], [180, "3 minutes ago"],
    [3_569, "59 minutes ago"], [3_570, "1 hour ago"], [7_200, "2 hours ago"], [84_599, "23 hours ago"], [84_600, "1 day ago"], [864_000, "10 days ago"],
  ])("%i seconds: %s", (seconds, words) => {
    expect(ago(1_000_000, 1_000_000 + seconds * 1000)).toBe(words);
  });
});

describe("time left", () => {
  it.each([[110_000, "1:50 left"], [65_001, "1:06 left"], [9_000, "0:09 left"], [1, "0:01 left"], [0, "time is over"], [-5_000, "time is over"]])(
    "%i ms: %s",
    (left, words) => {
      expect(timeLeft(1_000_000 + left, 1_000_000)).toBe(words);
    },
  );
});

describe("state", () => {
  const session: SessionSummary = {
    session_id: "s-1", name: null, profile: "p", label: "", host: "h", breadcrumb: [], state: "at_prompt", running_command: null,
    unhealthy_reason: null, record_problem: null, running_since_unix_ms: null, asks_for_secret: false, policy_mode: "safe", last_activity_unix_ms: 0,
    input: { mode: "auto", holder: null, because: null, until_unix_ms: null, agent_waits: false },
    opened_unix_ms: 0, closed_reason: null, columns: 80, rows: 24,
  };

  it.each([
    ["at_prompt", "at prompt"], ["running", "running"], ["arming", "preparing the shell"], ["awaiting_input", "waiting for input"],
    ["something_new", "something new"],
  ])("%s is shown as %s", (state, words) => {
    expect(stateText({ ...session, state })).toBe(words);
  });

  it("is closed as soon as there is a reason, whatever the host said last", () => {
    const closed: SessionSummary = { ...session, state: "running", running_command: "sleep 1", closed_reason: "the server went away" };
    expect(stateText(closed)).toBe("closed");
    expect(mood(closed)).toBe("over");
    expect(mood(session)).toBe("idle");
    expect(mood({ ...session, running_command: "sleep 1" })).toBe("busy");
  });

  it("says that the server does not answer, as long as the session is open", () => {
    const ill: SessionSummary = { ...session, running_command: "sleep 1", unhealthy_reason: "nothing for 32 s" };
    expect([stateText(ill), mood(ill)]).toEqual(["no answer", "ill"]);
    expect(stateText({ ...ill, closed_reason: "gone" })).toBe("closed");
  });

  it("is called by its label and its name", () => {
    expect(sessionTitle(session)).toBe("s-1");
    expect(sessionTitle({ ...session, label: "Lab", name: "orders" })).toBe("Lab · orders");
  });
});

describe("durations", () => {
  it.each([[0, "0.0 s"], [449, "0.4 s"], [9_999, "9.9 s"], [59_999, "59 s"], [185_000, "3 min 05 s"], [7_800_000, "2 h 10 min"]])("%i ms: %s", (ms, words) => {
    expect(durationText(ms)).toBe(words);
  });

  it.each([[0, "0:00"], [65_999, "1:05"], [3_725_000, "1:02:05"]])("on a clock %i ms are %s", (ms, words) => {
    expect(clockText(ms)).toBe(words);
  });
});

describe("a command", () => {
  const command: Command = {
    id: "c1", actor: "agent", text: "ls", started_unix_ms: 0, duration_ms: 1, offset: 0, outcome: "completed", exit_code: 0, verdict: "allow", rule_id: null,
  };

  it.each([
    [{}, "exit 0", "good"],
    [{ exit_code: 2 }, "exit 2", "bad"],
    [{ exit_code: null }, "ended, exit code unknown", "over"],
    [{ outcome: "running", exit_code: null }, "running", "busy"],
    [{ outcome: "level_changed", exit_code: null }, "led elsewhere", "over"],
    [{ outcome: "refused", exit_code: null, verdict: "deny", rule_id: "rm/root" }, "refused by rm/root", "refused"],
    [{ outcome: "refused", exit_code: null, verdict: "ask", rule_id: "x/y" }, "needs consent by x/y", "refused"],
    [{ outcome: "something_new", exit_code: null }, "something new", "over"],
  ] as const)("%j", (fields, words, kind) => {
    const it = { ...command, ...fields };
    expect([outcomeText(it), commandMood(it)]).toEqual([words, kind]);
  });
});

describe("the input", () => {
  it.each([
    [{ mode: "auto", holder: null, because: null }, "Input: free"],
    [{ mode: "common", holder: null, because: null }, "Input: both"],
    [{ mode: "auto", holder: "human", because: "typing" }, "Input: a person is typing"],
    [{ mode: "agent", holder: "human", because: "lease" }, "Input: taken by a person"],
    [{ mode: "agent", holder: "agent", because: "mode" }, "Input: agent only"],
    [{ mode: "auto", holder: "agent", because: "lease" }, "Input: held by the agent"],
  ] as const)("%j", (input, words) => {
    expect(inputText({ ...input, until_unix_ms: null, agent_waits: false })).toBe(words);
    expect(inputText({ ...input, until_unix_ms: null, agent_waits: true })).toBe(`${words}, the agent waits`);
  });
});
