import { describe, expect, it } from "vitest";

import { pasteNeedsConsent, safePaste } from "../src/paste";
import type { SessionSummary } from "../src/protocol";
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
    unhealthy_reason: null,
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
