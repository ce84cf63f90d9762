import headless from "@xterm/headless";
import { describe, expect, it } from "vitest";

import { isTyped, swallowQueries } from "../src/queries";

/** Everything a program may ask a terminal for. */
const QUERIES: Record<string, string> = {
  DA1: "\x1b[c", "DA1 with parameter": "\x1b[0c", DA2: "\x1b[>c", DA3: "\x1b[=c",
  "status": "\x1b[5n", "cursor position": "\x1b[6n", "extended cursor position": "\x1b[?6n", "colour scheme": "\x1b[?996n",
  "DECRQM private": "\x1b[?2004$p", "DECRQM ANSI": "\x1b[4$p",
  "kitty keyboard": "\x1b[?u", XTVERSION: "\x1b[>q", "text area size": "\x1b[18t", "window size": "\x1b[14t", title: "\x1b[21t", DECREQTPARM: "\x1b[x",
  palette: "\x1b]4;1;?\x07", "palette, several": "\x1b]4;1;rgb:00/00/00;2;?\x1b\\", foreground: "\x1b]10;?\x07", background: "\x1b]11;?\x1b\\", cursor: "\x1b]12;?\x07",
  clipboard: "\x1b]52;c;?\x07", DECRQSS: "\x1bP$qm\x1b\\", "DECRQSS scroll region": "\x1bP$qr\x1b\\", XTGETTCAP: "\x1bP+q544e\x1b\\", ENQ: "\x05",
};

async function answers(text: string, mute: boolean): Promise<string[]> {
  const terminal = new headless.Terminal({ allowProposedApi: true, windowOptions: { getWinSizeChars: true, getWinTitle: true } });
  if (mute) swallowQueries(terminal.parser);
  const sent: string[] = [];
  terminal.onData((data) => sent.push(data));
  await new Promise<void>((drawn) => terminal.write(text, drawn));
  terminal.dispose();
  return sent;
}

describe("terminal queries", () => {
  it.each(Object.entries(QUERIES))("%s gets no answer", async (_, query) => {
    expect(await answers(query, true)).toEqual([]);
  });

  it("would get answers otherwise", async () => {
    const loud = await Promise.all(Object.values(QUERIES).map((query) => answers(query, false)));
    expect(loud.flat().length).toBeGreaterThan(8);
  });

  it("leaves text and the sequences around it alone", async () => {
    const terminal = new headless.Terminal({ allowProposedApi: true });
    swallowQueries(terminal.parser);
    const text = `a${Object.values(QUERIES).join("b")}\x1b[1;31mc\x1b[m\x1b]2;title\x07`;
    await new Promise<void>((drawn) => terminal.write(text, drawn));
    const line = terminal.buffer.active.getLine(0)?.translateToString(true);
    expect(line).toBe(`a${"b".repeat(Object.keys(QUERIES).length - 1)}c`);
    terminal.dispose();
  });
});

describe("typed data", () => {
  it("is told from focus reports", () => {
    expect(isTyped("\x1b[I")).toBe(false);
    expect(isTyped("\x1b[O")).toBe(false);
    expect(isTyped("\x1b[A")).toBe(true);
    expect(isTyped("I")).toBe(true);
  });
});
