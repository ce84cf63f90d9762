import { describe, expect, it } from "vitest";

import { pasteNeedsConsent, safePaste } from "../src/paste";
import { ago } from "../src/summary";

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
