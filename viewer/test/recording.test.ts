import { describe, expect, it } from "vitest";

import { LONGEST_PAUSE, Player, type PlayScreen } from "../src/player";
import { parseRecording, playedTimes, RecordingError } from "../src/recording";

const line = (fields: object): string => JSON.stringify({ version: 2, ...fields });

const TRANSCRIPT = [
  line({ number: 0, unix_ms: 1_000_000, at_ms: 0, kind: "opened", session_id: "s-a-1", user: "u", address: "h:22", transcript: "full", columns: 100, rows: 30 }),
  line({ at_ms: 10, kind: "output", offset: 2, text: "$ " }),
  line({ at_ms: 20, kind: "verdict", actor: "agent", text: "rm -rf /", verdict: "deny", decisions: [{ rule_id: "rm/root" }] }),
  line({ at_ms: 25, kind: "verdict", actor: "agent", text: "ls", verdict: "allow", decisions: [] }),
  line({ at_ms: 30, kind: "command_start", command_id: "c1", actor: "agent", text: "ls", offset: 2 }),
  line({ at_ms: 40, kind: "output", offset: 6, base64: btoa("\xff\xfe") }),
  line({ at_ms: 5_040, kind: "command_end", command_id: 1, outcome: "completed", exit_code: 2, a_later_field: [] }),
  line({ at_ms: 5_050, kind: "resize", columns: 120, rows: 40 }),
  line({ at_ms: 5_050, kind: "something_later" }),
  line({ at_ms: 5_060, kind: "output", offset: 9, text: "end" }),
  line({ at_ms: 6_000, kind: "command_start", command_id: "c2", actor: "human", text: "top", offset: 9 }),
  line({ at_ms: 6_100, kind: "command_end", command_id: "c2", outcome: "fullscreen" }),
  line({ at_ms: 9_000, kind: "closed", reason: "logout" }),
  '{"at_ms":9001,"kind":"outp',
].join("\n");

const CAST = [
  '{"version":3,"term":{"cols":90,"rows":20},"timestamp":1780000000,"title":"a build"}',
  "# a comment",
  '[0.5,"o","one"]',
  '[0.25,"m","agent: make"]',
  '[60,"o","two"]',
  '[0,"r","100x25"]',
  '[1,"i","typed"]',
  '[1,"x","0"]',
  "[broken",
].join("\n");

describe("a transcript", () => {
  const recording = parseRecording(TRANSCRIPT);

  it("gives output, sizes and commands, and passes over what it does not know", () => {
    expect([recording.columns, recording.rows, recording.length_ms]).toEqual([100, 30, 9_000]);
    expect(recording.events.map((it) => [it.at_ms, it.kind])).toEqual([[10, "output"], [20, "command"], [30, "command"], [40, "output"], [5_050, "resize"], [5_060, "output"], [6_000, "command"]]);
    const bytes = recording.events[3];
    expect(bytes?.kind === "output" && [...bytes.bytes]).toEqual([255, 254]);
    expect(recording.remarks).toEqual(["It ended: logout", "1 lines could not be read and are left out."]);
  });

  it("shows a command with the whole of its line, where the end of that is recorded behind it", () => {
    const typed = [
      line({ number: 0, unix_ms: 1_000_000, at_ms: 0, kind: "opened", transcript: "full", columns: 80, rows: 24 }),
      line({ at_ms: 10, kind: "output", offset: 2, text: "$ " }),
      line({ at_ms: 20, kind: "command_start", command_id: "c1", actor: "human", text: "ls", offset: 4 }),
      line({ at_ms: 21, kind: "output", offset: 9, text: "ls\r\nx\r\n" }),
      line({ at_ms: 30, kind: "command_start", command_id: "c2", actor: "human", text: "ls", offset: 11 }),
    ];
    const { events } = parseRecording(typed.join("\n"));
    expect(events.map((it) => [it.at_ms, it.kind])).toEqual([[10, "output"], [21, "output"], [21, "command"], [30, "command"]]);
  });

  it("tells each command with its end, and refused lines with their rule", () => {
    expect(recording.commands).toMatchObject([
      { id: "r1", text: "rm -rf /", outcome: "refused", rule_id: "rm/root", verdict: "deny" },
      { id: "c1", actor: "agent", outcome: "completed", exit_code: 2, duration_ms: 5_010, started_unix_ms: 1_000_030 },
      { id: "c2", actor: "human", outcome: "no end recorded", exit_code: null, duration_ms: null },
    ]);
  });
});

describe("an asciicast", () => {
  it("of version 3 counts from event to event", () => {
    const recording = parseRecording(CAST);
    expect([recording.title, recording.columns, recording.rows]).toEqual(["a build", 90, 20]);
    expect(recording.events.map((it) => it.at_ms)).toEqual([500, 750, 60_750, 60_750]);
    expect(recording.commands.map((it) => it.text)).toEqual(["agent: make"]);
    expect(recording.remarks.length).toBe(2);
  });

  it("of version 2 counts from the beginning", () => {
    const recording = parseRecording('{"version":2,"width":80,"height":24}\n[0.5,"o","a"]\n[2,"o","b"]\n');
    expect(recording.events.map((it) => it.at_ms)).toEqual([500, 2_000]);
  });

  it.each(["", "nothing", "{}", "[]", '{"version":1}', '{"kind":"output"}', "\0\x01"])("is told from %j", (text) => {
    expect(() => parseRecording(text)).toThrow(RecordingError);
  });
});

describe("pauses", () => {
  it("are cut to the longest that is played, and kept otherwise", () => {
    const { events } = parseRecording(CAST);
    expect(playedTimes(events, 1_000)).toEqual([500, 750, 1_750, 1_750]);
    expect(playedTimes(events, undefined)).toEqual([500, 750, 60_750, 60_750]);
  });
});

describe("a player", () => {
  function start(text = CAST) {
    const seen: string[] = [];
    const screen: PlayScreen = {
      reset: () => seen.push("reset"),
      resize: (columns, rows) => seen.push(`${columns}x${rows}`),
      write: (bytes, drawn) => {
        seen.push(new TextDecoder().decode(bytes));
        drawn();
      },
    };
    let now = 0;
    let step: (() => void) | undefined;
    const player = new Player(parseRecording(text), screen, { changed: () => {}, later: (it) => (step = it), now: () => now });
    const pass = (ms: number): void => {
      now += ms;
      const due = step;
      step = undefined;
      due?.();
    };
    return { player, seen, pass };
  }

  it("plays what is due, at its speed, to the end", () => {
    const { player, seen, pass } = start();
    expect(seen).toEqual(["reset", "90x20"]);
    player.play();
    pass(499);
    expect(seen.length).toBe(2);
    pass(1);
    expect(seen.at(-1)).toBe("one");
    player.speed = 10;
    pass(25);
    expect(player.command).toBe("m1");
    pass(LONGEST_PAUSE / 10);
    expect(seen.slice(3)).toEqual(["two", "100x25"]);
    expect(player.playing).toBe(false);
    player.play();
    expect(seen.slice(-2)).toEqual(["reset", "90x20"]);
  });

  it("shows any time, back by starting anew, and the time of a command", () => {
    const { player, seen } = start();
    player.seek(player.length);
    expect(seen).toEqual(["reset", "90x20", "onetwo", "100x25"]);
    player.seek(player.timeOf("m1") ?? 0);
    expect(seen.slice(4)).toEqual(["reset", "90x20", "one"]);
    expect(player.timeOf("m9")).toBeUndefined();
    player.seek(-5);
    expect([player.at, player.command]).toEqual([0, undefined]);
  });

  it("keeps its place when pauses are cut or not", () => {
    const { player } = start();
    player.seek(750 + LONGEST_PAUSE);
    player.cutsPauses = false;
    expect([player.at, player.length]).toEqual([60_750, 60_750]);
    player.seek(30_000);
    player.cutsPauses = true;
    expect(player.at).toBe(750 + LONGEST_PAUSE);
    player.cutsPauses = false;
    expect(player.at).toBeLessThan(60_750);
  });
});
