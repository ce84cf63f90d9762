import { describe, expect, it } from "vitest";

import { eventAt, parseRecording } from "../src/recording";
import { placeOf, replayAddress } from "../src/replay-address";

const record = { instance_id: "2026 a/b", session_id: "s-lab-1" };

describe("the address of a place in the record", () => {
  it("names the record alone where no place is meant", () => {
    expect(replayAddress(record)).toBe("/r/2026%20a%2Fb/s-lab-1");
    expect(placeOf("")).toBeUndefined();
  });

  it.each([
    { offset: 5120, unix_ms: 1_780_000_001_000, text: "ERROR 订单 & more #1=2" },
    { offset: null, unix_ms: 1_780_000_000_500, text: "" },
    { offset: 0, unix_ms: 0, text: "x" },
  ])("is read as it was written: %j", (place) => {
    const address = replayAddress({ ...record, ...place });
    expect(placeOf(address.slice(address.indexOf("#")))).toEqual(place);
  });

  it("keeps no more text than is looked for", () => {
    const address = replayAddress({ ...record, offset: 1, unix_ms: 2, text: `  ${"a".repeat(500)}` });
    expect(placeOf(address.slice(address.indexOf("#")))?.text).toBe("a".repeat(60));
  });

  it.each(["#offset=5", "#at=-1", "#at=1e9", "#at=99999999999999999", "#at=", "#token=x"])("makes no place of %s", (fragment) => {
    expect(placeOf(fragment)).toBeUndefined();
  });

  it("takes an offset that is none for no offset", () => {
    expect(placeOf("#at=7&offset=abc")).toEqual({ offset: null, unix_ms: 7, text: "" });
  });
});

describe("a place in a recording", () => {
  const lines = [
    { kind: "opened", at_ms: 0, unix_ms: 1_000, session_id: "s", columns: 80, rows: 24 },
    { kind: "output", at_ms: 10, unix_ms: 1_010, offset: 5, text: "one\r\n" },
    { kind: "resize", at_ms: 20, unix_ms: 1_020, columns: 90, rows: 24 },
    { kind: "output", at_ms: 30, unix_ms: 1_030, offset: 10, text: "two\r\n" },
  ];
  const recording = parseRecording(lines.map((line) => JSON.stringify(line)).join("\n"));
  const at = (offset: number | null, unix_ms: number): number => eventAt(recording, { offset, unix_ms, text: "" });

  it("is the output that has the offset", () => {
    expect([at(0, 0), at(4, 0), at(5, 0), at(9, 0)]).toEqual([0, 0, 2, 2]);
  });

  it("is what came at the moment where there is no offset", () => {
    expect([at(null, 0), at(null, 1_015), at(null, 1_030)]).toEqual([0, 1, 2]);
  });

  it("is the end where it lies behind it", () => {
    expect([at(999, 0), at(null, 9_999)]).toEqual([2, 2]);
  });
});
