import { describe, expect, it } from "vitest";

import { ACKNOWLEDGE_EVERY, type AttachedMessage, parseServerMessage } from "../src/protocol";
import { type Screen, ScreenFeed } from "../src/screen-feed";
import { readFileSync } from "node:fs";

const ATTACHED = parseServerMessage(
  readFileSync(new URL("../protocol/server_attached.json", import.meta.url), "utf8"),
) as AttachedMessage;

/** Notes what is done to it; a write is finished only when the test says so. */
class FakeScreen implements Screen {
  readonly done: string[] = [];
  readonly unfinished: (() => void)[] = [];

  reset(): void {
    this.done.push("reset");
  }

  resize(columns: number, rows: number): void {
    this.done.push(`${columns}x${rows}`);
  }

  write(bytes: Uint8Array, drawn: () => void): void {
    this.done.push(bytes.length > 64 ? `${bytes.length} bytes` : new TextDecoder().decode(bytes));
    this.unfinished.push(drawn);
  }

  writeOver(bytes: Uint8Array, drawn: () => void): void {
    this.write(bytes, drawn);
  }

  finish(): void {
    this.unfinished.shift()?.();
  }
}

function start() {
  const screen = new FakeScreen();
  const acknowledged: number[] = [];
  const feed = new ScreenFeed(screen, { acknowledge: (offset) => acknowledged.push(offset) });
  const attach = (offset: number): void => feed.attached({ ...ATTACHED, offset, history_from: offset, columns: 80, rows: 24 });
  const output = (offset: number, text: string): boolean => feed.output({ offset, bytes: new TextEncoder().encode(text) });
  return { screen, acknowledged, feed, attach, output };
}

describe("screen feed", () => {
  it("resets, draws the snapshot and says so", () => {
    const { screen, acknowledged, attach, output } = start();
    attach(100);
    expect(output(100, "snapshot")).toBe(true);
    expect(screen.done).toEqual(["reset", "80x24", "snapshot"]);
    expect(acknowledged).toEqual([]);
    screen.finish();
    expect(acknowledged).toEqual([100]);
  });

  it("keeps the order of writes and sizes, and joins neighbouring writes", () => {
    const { screen, feed, attach, output } = start();
    attach(0);
    output(0, "snapshot");
    output(0, "ab");
    output(2, "cd");
    feed.resized(132, 43);
    output(4, "ef");
    expect(screen.done).toEqual(["reset", "80x24", "snapshot"]);
    screen.finish();
    screen.finish();
    expect(screen.done.slice(3)).toEqual(["abcd", "132x43", "ef"]);
  });

  it("draws nothing twice", () => {
    const { screen, attach, output } = start();
    attach(10);
    output(10, "snapshot");
    screen.finish();
    output(10, "abc");
    screen.finish();
    expect(output(11, "bcde")).toBe(true);
    screen.finish();
    expect(output(10, "abc")).toBe(true);
    expect(screen.done.slice(3)).toEqual(["abc", "de"]);
  });

  it("reports a gap", () => {
    const { attach, output } = start();
    attach(10);
    output(10, "snapshot");
    expect(output(11, "x")).toBe(false);
  });

  it("refuses a snapshot of another place and output without an attachment", () => {
    const { feed, attach, output } = start();
    expect(output(0, "x")).toBe(false);
    attach(10);
    expect(output(9, "snapshot")).toBe(false);
    attach(10);
    output(10, "snapshot");
    feed.detached();
    expect(output(10, "x")).toBe(false);
  });

  it("starts over at a new attachment, after the write under way", () => {
    const { screen, acknowledged, attach, output } = start();
    attach(0);
    output(0, "first");
    output(0, "stale");
    attach(50);
    output(50, "second");
    expect(screen.done).toEqual(["reset", "80x24", "first"]);
    screen.finish();
    expect(screen.done.slice(3)).toEqual(["reset", "80x24", "second"]);
    screen.finish();
    expect(acknowledged).toEqual([50]);
  });

  it("acknowledges what is drawn, not what has arrived", () => {
    const { screen, acknowledged, feed, attach, output } = start();
    attach(0);
    output(0, "snapshot");
    screen.finish();
    const half = new Uint8Array(ACKNOWLEDGE_EVERY / 2);
    feed.output({ offset: 0, bytes: half });
    feed.output({ offset: half.length, bytes: half });
    expect(acknowledged).toEqual([0]);
    screen.finish();
    expect(acknowledged).toEqual([0]);
    screen.finish();
    expect(acknowledged).toEqual([0, ACKNOWLEDGE_EVERY]);
  });

  it("draws the history, then the screen over it, and marks where each command began", () => {
    const { screen, acknowledged, feed, output } = start();
    const places: string[] = [];
    const mark = (offset: number, name: string): void => feed.mark(offset, () => {
      places.push(name);
      screen.done.push(`(${name})`);
    });
    feed.attached({ ...ATTACHED, cause: "opened", offset: 110, history_from: 100, columns: 80, rows: 24 });
    mark(90, "gone");
    mark(103, "first");
    mark(110, "at the end");
    mark(112, "to come");
    expect(output(100, "abcdefghij")).toBe(true);
    expect(output(110, "snapshot")).toBe(true);
    expect(output(110, "klmn")).toBe(true);
    for (let drawn = 0; drawn < 6; drawn += 1) screen.finish();
    expect(screen.done).toEqual(["reset", "80x24", "abc", "(first)", "defghij", "snapshot", "(at the end)", "kl", "(to come)", "mn"]);
    expect(acknowledged).toEqual([110]);
    mark(114, "now");
    expect(places.at(-1)).toBe("now");
  });

  it("goes on at the right byte after the socket was lost, without a reset", () => {
    const { screen, acknowledged, feed, attach, output } = start();
    attach(100);
    expect(feed.position).toBeUndefined();
    output(100, "snapshot");
    output(100, "abc");
    feed.mark(104, () => screen.done.push("(mark)"));
    feed.detached();
    expect(feed.position).toBe(103);
    screen.finish();
    screen.finish();
    screen.done.length = 0;
    feed.attached({ ...ATTACHED, cause: "resumed", offset: 106, history_from: 103, columns: 80, rows: 24 });
    expect(output(103, "def")).toBe(true);
    expect(output(106, "g")).toBe(true);
    screen.finish();
    screen.finish();
    expect(screen.done).toEqual(["80x24", "d", "(mark)", "efg"]);
    expect(acknowledged).toEqual([100, 103]);
  });

  it("has no place to go on from before the first screen is there", () => {
    const { feed, attach } = start();
    attach(100);
    feed.detached();
    expect(feed.position).toBeUndefined();
  });
});
