import { describe, expect, it } from "vitest";

import { parts } from "../src/escapes";

const all = (text: string, ...spans: (readonly [number, number])[]): string =>
  parts(text, spans).map((it) => (it.marked ? `[${it.text}]` : it.text)).join("");

describe("a text to decide about", () => {
  it("is shown whole and in order", () => {
    expect(all("echo ok")).toBe("echo ok");
    expect(all("")).toBe("");
  });

  it("has its causes marked by their bytes, whatever stands before them", () => {
    expect(all("echo ключ 键 😀; rm -rf x", [24, 32])).toBe("echo ключ 键 😀; [rm -rf x]");
    expect(all("rm a; rm b", [0, 4], [6, 10])).toBe("[rm a]; [rm b]");
    expect(all("rm a", [0, 99])).toBe("[rm a]");
  });

  it("marks a character of which a span has only a part", () => {
    expect(all("键b", [1, 2])).toBe("[键]b");
  });

  it.each([
    ["\u202e", "⟨U+202E⟩"], ["\u200b", "⟨U+200B⟩"], ["\u00a0", "⟨U+00A0⟩"], ["\u001b", "⟨U+001B⟩"], ["\r", "⟨U+000D⟩"],
    ["\u2028", "⟨U+2028⟩"], ["\u{e0041}", "⟨U+E0041⟩"], ["\ud800", "⟨U+D800⟩"], ["\u007f", "⟨U+007F⟩"], ["\u3000", "⟨U+3000⟩"],
    ["\n", "⏎\n"], ["\t", "⇥\t"],
  ])("shows what cannot be seen: %j", (character, shown) => {
    const found = parts(`a${character}b`, []);
    expect(found.map((it) => it.text).join("")).toBe(`a${shown}b`);
    expect(found.map((it) => it.escaped)).toEqual([false, true, false]);
  });

  it("does not take a code that was typed for one of its own", () => {
    expect(parts("⟨U+202E⟩", []).map((it) => it.escaped)).toEqual([false]);
  });
});
