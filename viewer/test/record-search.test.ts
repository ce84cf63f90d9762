import { describe, expect, it } from "vitest";

import type { SearchFound, SearchHit } from "../src/protocol";
import { foundText } from "../src/record-search";

const hit: SearchHit = { instance_id: "i", session_id: "s", profile: "p", number: 1, unix_ms: 2, kind: "output", offset: 3, actor: null, exit_code: null, text: "t" };
const found = (change: Partial<SearchFound>): SearchFound => ({ hits: [], more: false, files: 2, bytes: 0, problems: [], ...change });

describe("what a search has found", () => {
  it.each([
    [found({}), "0 hits in 2 transcripts."],
    [found({ hits: [hit], files: 1 }), "1 hit in 1 transcript."],
    [found({ hits: [hit, hit], more: true }), "2 hits, and more in 2 transcripts."],
    [found({ problems: ["a.jsonl: denied", "b.jsonl: gone"] }), "0 hits in 2 transcripts. Not searched: a.jsonl: denied; b.jsonl: gone"],
  ])("is said in a line: %#", (answer, words) => {
    expect(foundText(answer)).toBe(words);
  });
});
